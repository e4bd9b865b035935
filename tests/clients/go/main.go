// One walk through the anomaly-detection API with the official Go client's typed API.
// The other languages' scenarios do the same on the same data; tests/clients/README.md says what they check.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/elastic/go-elasticsearch/v9"
	"github.com/elastic/go-elasticsearch/v9/esutil"
	"github.com/elastic/go-elasticsearch/v9/typedapi/ml/forecast"
	"github.com/elastic/go-elasticsearch/v9/typedapi/ml/getbuckets"
	"github.com/elastic/go-elasticsearch/v9/typedapi/ml/getoverallbuckets"
	"github.com/elastic/go-elasticsearch/v9/typedapi/ml/getrecords"
	"github.com/elastic/go-elasticsearch/v9/typedapi/ml/postcalendarevents"
	"github.com/elastic/go-elasticsearch/v9/typedapi/ml/putcalendar"
	"github.com/elastic/go-elasticsearch/v9/typedapi/ml/putdatafeed"
	"github.com/elastic/go-elasticsearch/v9/typedapi/ml/putfilter"
	"github.com/elastic/go-elasticsearch/v9/typedapi/ml/putjob"
	"github.com/elastic/go-elasticsearch/v9/typedapi/ml/startdatafeed"
	"github.com/elastic/go-elasticsearch/v9/typedapi/ml/updatefilter"
	"github.com/elastic/go-elasticsearch/v9/typedapi/ml/updatejob"
	"github.com/elastic/go-elasticsearch/v9/typedapi/ml/updatemodelsnapshot"
	"github.com/elastic/go-elasticsearch/v9/typedapi/types"
	"github.com/elastic/go-elasticsearch/v9/typedapi/types/enums/datafeedstate"
	"github.com/elastic/go-elasticsearch/v9/typedapi/types/enums/jobstate"
	"github.com/elastic/go-elasticsearch/v9/typedapi/types/enums/memorystatus"
	"github.com/elastic/go-elasticsearch/v9/typedapi/types/enums/ruleaction"
)

const (
	start      = int64(1767225600000) // 2026-01-01T00:00:00Z
	day        = int64(86400000)
	step       = int64(300000)
	span       = int64(900000)
	days       = int64(7)
	spike      = start + 6*day + 10*3600000
	knownSpike = start + 6*day + 15*3600000
	records    = days * day / step * 3
	jobID      = "latency"
	feedID     = "datafeed-latency"
	calendarID = "releases"
	filterID   = "quiet-services"
	index      = "requests"
)

var (
	services = []string{"checkout", "payments", "search"}
	ctx      = context.Background()
)

func say(format string, args ...any) { fmt.Printf("  checked: "+format+"\n", args...) }

// check ends the program when something is not as it should be.
func check(good bool, what string, seen ...any) {
	if !good {
		text, _ := json.Marshal(seen)
		fmt.Printf("  wrong: %s: %s\n", what, text)
		os.Exit(1)
	}
}

// must hands on an answer, or ends the program with the client's error.
func must[T any](answer T, err error) T {
	check(err == nil, fmt.Sprint(err))
	return answer
}

func fails(status int, kind string, err error) {
	var failure *types.ElasticsearchError
	check(errors.As(err, &failure), "an Elasticsearch error was expected", fmt.Sprint(err))
	check(failure.Status == status && failure.ErrorCause.Type == kind, "another error was expected", failure)
}

func within(at, from int64) bool { return at >= from && at < from+4*span }

func document(number int, at, tick int64) []byte {
	value := 100 + 20*float64(number) + 10*math.Sin(2*math.Pi*float64(at%day)/float64(day))
	value += float64((tick*7919 + int64(number)*31) % 11)
	if number == 1 && within(at, spike) || number == 0 && within(at, knownSpike) {
		value *= 8
	}
	return must(json.Marshal(map[string]any{"@timestamp": at, "service": services[number], "latency": value}))
}

func indexData(plain *elasticsearch.Client, es *elasticsearch.TypedClient) {
	info := must(es.Info().Do(ctx))
	check(info.Tagline == "You Know, for Search", "tagline", info)
	say("client %s accepts the server, version %s", elasticsearch.Version, info.Version.Int)

	mappings := types.NewTypeMapping()
	mappings.Properties = map[string]types.Property{
		"@timestamp": types.NewDateProperty(),
		"service":    types.NewKeywordProperty(),
		"latency":    types.NewDoubleNumberProperty(),
	}
	check(must(es.Indices.Create(index).Mappings(mappings).Do(ctx)).Acknowledged, "create index")
	bulk := must(esutil.NewBulkIndexer(esutil.BulkIndexerConfig{Client: plain, Index: index, Refresh: "true"}))
	for tick := int64(0); tick < days*day/step; tick++ {
		for number := range services {
			item := esutil.BulkIndexerItem{
				Action: "index",
				Body:   bytes.NewReader(document(number, start+tick*step, tick)),
			}
			check(bulk.Add(ctx, item) == nil, "bulk add")
		}
	}
	check(bulk.Close(ctx) == nil, "bulk close")
	stats := bulk.Stats()
	check(stats.NumIndexed == uint64(records) && stats.NumFailed == 0, "bulk", stats)
	check(must(es.Count().Index(index).Do(ctx)).Count == records, "count")
	field := "latency"
	found := must(es.Search().Index(index).Size(1).
		Query(&types.Query{Term: map[string]types.TermQuery{"service": {Value: "search"}}}).
		Aggregations(map[string]types.Aggregations{"mean": {Avg: &types.AverageAggregation{Field: &field}}}).Do(ctx))
	check(found.Hits.Total.Value == records/3, "hits", found.Hits.Total)
	mean := float64(*found.Aggregations["mean"].(*types.AvgAggregate).Value)
	check(mean > 130 && mean < 160, "mean", mean)
	say("%d documents through the bulk indexer, counted, searched, aggregated", records)
}

func job() *putjob.Request {
	function, field, service, limit, timeField, plot := "mean", "latency", "service", "64mb", "@timestamp", true
	description := "latency of each service"
	return &putjob.Request{
		Description: &description,
		Groups:      []string{"web"},
		AnalysisConfig: types.AnalysisConfig{
			BucketSpan: "15m",
			Detectors: []types.Detector{{
				Function: &function, FieldName: &field, PartitionFieldName: &service,
				CustomRules: []types.DetectionRule{{
					Actions: []ruleaction.RuleAction{ruleaction.Skipresult},
					Scope:   map[string]types.FilterRef{"service": {FilterId: filterID}},
				}},
			}},
			Influencers: []string{"service"},
		},
		AnalysisLimits:  &types.AnalysisLimits{ModelMemoryLimit: limit},
		DataDescription: types.DataDescription{TimeField: &timeField},
		ModelPlotConfig: &types.ModelPlotConfig{Enabled: &plot},
	}
}

func configure(es *elasticsearch.TypedClient) {
	ml := es.Ml
	filter := must(ml.PutFilter(filterID).Request(&putfilter.Request{Items: []string{"search", "archive"}}).Do(ctx))
	check(slices.Equal(filter.Items, []string{"archive", "search"}), "filter", filter)
	change := &updatefilter.Request{AddItems: []string{"mail"}, RemoveItems: []string{"archive"}}
	changed := must(ml.UpdateFilter(filterID).Request(change).Do(ctx))
	check(slices.Equal(changed.Items, []string{"mail", "search"}), "filter", changed)
	check(must(ml.GetFilters().FilterId(filterID).Do(ctx)).Count == 1, "filters")
	say("filter created, changed, read")

	created := must(ml.PutJob(jobID).Request(job()).Do(ctx))
	check(created.JobType == "anomaly_detector" && created.AnalysisLimits.ModelMemoryLimit == "64mb", "job", created)
	_, err := ml.PutJob(jobID).Request(job()).Do(ctx)
	fails(400, "resource_already_exists_exception", err)
	name := jobID
	feed := must(ml.PutDatafeed(feedID).Request(&putdatafeed.Request{
		JobId: &name, Indices: []string{index}, QueryDelay: "60s",
		Query: &types.Query{MatchAll: types.NewMatchAllQuery()},
	}).Do(ctx))
	check(feed.Indices[0] == index && feed.ChunkingConfig.Mode.String() == "auto", "datafeed", feed)
	rows := must(ml.PreviewDatafeed().DatafeedId(feedID).Do(ctx))
	var row map[string]any
	check(json.Unmarshal(rows[0], &row) == nil && row["@timestamp"] == float64(start), "preview", row)
	say("job and datafeed created, a second job of the same name refused, datafeed previewed")

	calendar := must(ml.PutCalendar(calendarID).Request(&putcalendar.Request{JobIds: []string{}}).Do(ctx))
	check(len(calendar.JobIds) == 0, "calendar", calendar)
	check(must(ml.PutCalendarJob(calendarID, jobID).Do(ctx)).JobIds[0] == jobID, "calendar's job")
	event := types.CalendarEvent{Description: "release", StartTime: knownSpike, EndTime: knownSpike + 4*span}
	posted := must(ml.PostCalendarEvents(calendarID).
		Request(&postcalendarevents.Request{Events: []types.CalendarEvent{event}}).Do(ctx))
	check(len(posted.Events) == 1 && *posted.Events[0].SkipResult, "events", posted)
	events := must(ml.GetCalendarEvents(calendarID).Do(ctx))
	check(events.Count == 1 && *events.Events[0].EventId != "", "events", events)
	say("calendar with an event, given to the job")
}

func run(es *elasticsearch.TypedClient) {
	check(must(es.Ml.OpenJob(jobID).Do(ctx)).Opened, "open")
	times := &startdatafeed.Request{Start: start, End: start + days*day}
	check(must(es.Ml.StartDatafeed(feedID).Request(times).Do(ctx)).Started, "start")
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		feed := must(es.Ml.GetDatafeedStats().DatafeedId(feedID).Do(ctx)).Datafeeds[0]
		job := must(es.Ml.GetJobStats().JobId(jobID).Do(ctx)).Jobs[0]
		if feed.State == datafeedstate.Stopped && job.State == jobstate.Closed {
			check(job.DataCounts.ProcessedRecordCount == records, "data counts", job.DataCounts)
			check(job.ModelSizeStats.MemoryStatus == memorystatus.Ok, "model size", job.ModelSizeStats)
			check(feed.TimingStats.SearchCount > 0, "timing", feed)
			break
		}
		check(time.Now().Before(deadline), "the datafeed does not end", feed, job)
	}
	say("datafeed ran to its end over %d records and closed the job", records)
}

func readResults(es *elasticsearch.TypedClient) {
	ml := es.Ml
	buckets := must(ml.GetBuckets(jobID).Request(&getbuckets.Request{Start: spike, End: spike + span}).Do(ctx))
	check(buckets.Count == 1, "buckets", buckets)
	bucket := buckets.Buckets[0]
	check(bucket.Timestamp == spike && bucket.BucketSpan == 900 && bucket.EventCount == 9, "bucket", bucket)
	check(bucket.AnomalyScore >= 75 && len(bucket.BucketInfluencers) > 0, "bucket", bucket)
	from, size := 10, 5
	paged := must(ml.GetBuckets(jobID).Request(&getbuckets.Request{Page: &types.Page{From: &from, Size: &size}}).Do(ctx))
	check(len(paged.Buckets) == 5 && paged.Buckets[0].Timestamp == start+10*span, "page", paged)
	say("buckets, paged too; the spike's scores %.0f", float64(bucket.AnomalyScore))

	floor, desc, sort := types.Float64(50), true, "record_score"
	found := must(ml.GetRecords(jobID).Request(&getrecords.Request{RecordScore: &floor, Sort: &sort, Desc: &desc}).Do(ctx))
	top := found.Records[0]
	check(*top.PartitionFieldValue == "payments" && within(top.Timestamp, spike), "record", top)
	check(top.Actual[0] > 4*top.Typical[0] && top.AnomalyScoreExplanation != nil, "record", top)
	say("%d records of 50 and more, the highest where the spike was planted", found.Count)

	influencers := must(ml.GetInfluencers(jobID).InfluencerScore("50").Do(ctx))
	check(influencers.Influencers[0].InfluencerFieldValue == "payments", "influencers", influencers)
	say("%d influencers", influencers.Count)

	known := &getrecords.Request{Start: knownSpike, End: knownSpike + span}
	check(must(ml.GetRecords(jobID).Request(known).Do(ctx)).Count == 0, "the event hides the records")
	say("the spike inside the calendar's event is no anomaly")

	overall := must(ml.GetOverallBuckets(jobID).
		Request(&getoverallbuckets.Request{OverallScore: &floor, BucketSpan: "1h"}).Do(ctx))
	check(overall.OverallBuckets[0].Jobs[0].JobId == jobID, "overall", overall)
	say("overall buckets")
}

func snapshots(es *elasticsearch.TypedClient) {
	found := must(es.Ml.GetModelSnapshots(jobID).Do(ctx))
	check(found.Count >= 1 && found.ModelSnapshots[0].SnapshotDocCount > 0, "snapshots", found)
	id := found.ModelSnapshots[0].SnapshotId
	text, retain := "after the first run", true
	change := &updatemodelsnapshot.Request{Description: &text, Retain: &retain}
	check(must(es.Ml.UpdateModelSnapshot(jobID, id).Request(change).Do(ctx)).Model.Retain, "retain")
	check(must(es.Ml.RevertModelSnapshot(jobID, id).Do(ctx)).Model.SnapshotId == id, "revert")
	_, err := es.Ml.DeleteModelSnapshot(jobID, id).Do(ctx)
	fails(400, "illegal_argument_exception", err)
	say("snapshots listed, changed, reverted to; the active one cannot be deleted")
}

func makeForecast(es *elasticsearch.TypedClient) {
	ml := es.Ml
	check(must(ml.OpenJob(jobID).Do(ctx)).Opened, "open")
	made := must(ml.Forecast(jobID).Request(&forecast.Request{Duration: "1d", ExpiresIn: "14d"}).Do(ctx))
	check(made.Acknowledged && made.ForecastId != "", "forecast", made)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		stats := must(ml.GetJobStats().JobId(jobID).Do(ctx)).Jobs[0].ForecastsStats
		if stats.Status["finished"] == 1 {
			break
		}
		check(time.Now().Before(deadline), "the forecast does not end", stats)
	}
	found := must(es.Search().Index(".ml-anomalies-" + jobID).Size(500).
		Query(&types.Query{Bool: &types.BoolQuery{Filter: []types.Query{
			{Term: map[string]types.TermQuery{"result_type": {Value: "model_forecast"}}},
			{Term: map[string]types.TermQuery{"forecast_id": {Value: made.ForecastId}}},
		}}}).Do(ctx))
	check(int64(len(found.Hits.Hits)) >= day/span, "points", found.Hits.Total)
	for _, hit := range found.Hits.Hits {
		var point struct {
			Lower      float64 `json:"forecast_lower"`
			Prediction float64 `json:"forecast_prediction"`
			Upper      float64 `json:"forecast_upper"`
		}
		check(json.Unmarshal(hit.Source_, &point) == nil, "point", hit)
		check(point.Lower <= point.Prediction && point.Prediction <= point.Upper, "point", point)
	}
	check(must(ml.DeleteForecast(jobID).ForecastId(made.ForecastId).Do(ctx)).Acknowledged, "delete forecast")
	check(must(ml.CloseJob(jobID).Do(ctx)).Closed, "close")
	say("forecast of a day made, %d points read, deleted", len(found.Hits.Hits))
}

func remove(es *elasticsearch.TypedClient) {
	ml, text := es.Ml, "renamed"
	check(must(ml.UpdateJob(jobID).Request(&updatejob.Request{Description: &text}).Do(ctx)).JobId == jobID, "update")
	check(*must(ml.GetJobs().JobId("web").Do(ctx)).Jobs[0].Description == text, "group")
	event := *must(ml.GetCalendarEvents(calendarID).Do(ctx)).Events[0].EventId
	check(must(ml.DeleteCalendarEvent(calendarID, event).Do(ctx)).Acknowledged, "event")
	check(len(must(ml.DeleteCalendarJob(calendarID, jobID).Do(ctx)).JobIds) == 0, "calendar's job")
	check(must(ml.DeleteCalendar(calendarID).Do(ctx)).Acknowledged, "calendar")
	check(must(ml.DeleteDatafeed(feedID).Do(ctx)).Acknowledged, "datafeed")
	check(must(ml.DeleteJob(jobID).Do(ctx)).Acknowledged, "job")
	check(must(ml.DeleteFilter(filterID).Do(ctx)).Acknowledged, "filter")
	check(must(es.Indices.Delete(index).Do(ctx)).Acknowledged, "index")
	_, err := ml.GetJobs().JobId(jobID).Do(ctx)
	fails(404, "resource_not_found_exception", err)
	_, err = ml.GetCalendars().CalendarId(calendarID).Do(ctx)
	fails(404, "resource_not_found_exception", err)
	say("all deleted; what is gone is answered with 404")
}

func main() {
	plain := must(elasticsearch.NewClient(elasticsearch.Config{
		Addresses: []string{strings.TrimSpace(os.Getenv("AUSPEX_URL"))},
	}))
	es := elasticsearch.NewTypedFrom(plain)
	indexData(plain, es)
	configure(es)
	run(es)
	readResults(es)
	snapshots(es)
	makeForecast(es)
	remove(es)
}
