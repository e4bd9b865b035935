// One walk through the anomaly-detection API with the official Java client.
// The other languages' scenarios do the same on the same data; tests/clients/README.md says what they check.

import co.elastic.clients.elasticsearch.ElasticsearchClient;
import co.elastic.clients.elasticsearch._helpers.bulk.BulkIngester;
import co.elastic.clients.elasticsearch._types.ElasticsearchException;
import co.elastic.clients.elasticsearch._types.Time;
import co.elastic.clients.elasticsearch.ml.*;
import co.elastic.clients.util.DateTime;
import java.util.List;
import java.util.Map;

class Scenario {
    static final long START = 1767225600000L; // 2026-01-01T00:00:00Z
    static final long DAY = 86400000L, STEP = 300000L, SPAN = 900000L, DAYS = 7L;
    static final long SPIKE = START + 6 * DAY + 10 * 3600000L;
    static final long KNOWN_SPIKE = START + 6 * DAY + 15 * 3600000L;
    static final List<String> SERVICES = List.of("checkout", "payments", "search");
    static final long RECORDS = DAYS * DAY / STEP * SERVICES.size();
    static final String JOB = "latency", FEED = "datafeed-latency", CALENDAR = "releases";
    static final String FILTER = "quiet-services", INDEX = "requests";

    /** A request that may fail in any way. */
    interface Request {
        void send() throws Exception;
    }

    static void say(String text) {
        System.out.println("  checked: " + text);
    }

    static void check(boolean good, Object seen) {
        if (!good) {
            throw new AssertionError("unexpected: " + seen);
        }
    }

    static void fails(int status, String type, Request request) throws Exception {
        try {
            request.send();
        } catch (ElasticsearchException error) {
            check(error.status() == status && error.error().type().equals(type), error);
            return;
        }
        throw new AssertionError("an answer " + status + " was expected");
    }

    static DateTime at(long millis) {
        return DateTime.ofEpochMilli(millis);
    }

    static boolean within(long at, long from) {
        return at >= from && at < from + 4 * SPAN;
    }

    static Map<String, Object> document(int number, long tick) {
        long at = START + tick * STEP;
        double value = 100 + 20 * number + 10 * Math.sin(2 * Math.PI * (at % DAY) / DAY);
        value += (tick * 7919 + number * 31) % 11;
        if (number == 1 && within(at, SPIKE) || number == 0 && within(at, KNOWN_SPIKE)) {
            value *= 8;
        }
        return Map.of("@timestamp", at, "service", SERVICES.get(number), "latency", value);
    }

    static void indexData(ElasticsearchClient es) throws Exception {
        var info = es.info();
        check(info.tagline().equals("You Know, for Search"), info);
        say("client " + System.getenv("CLIENT_VERSION") + " accepts the server, version " + info.version().number());
        var created = es.indices().create(c -> c.index(INDEX).mappings(m -> m
            .properties("@timestamp", p -> p.date(d -> d))
            .properties("service", p -> p.keyword(k -> k))
            .properties("latency", p -> p.double_(d -> d))));
        check(created.acknowledged(), created);
        var ingester = BulkIngester.of(b -> b.client(es).maxOperations(2000));
        for (long tick = 0; tick < DAYS * DAY / STEP; tick++) {
            for (int number = 0; number < SERVICES.size(); number++) {
                var document = document(number, tick);
                ingester.add(o -> o.index(i -> i.index(INDEX).document(document)));
            }
        }
        ingester.close();
        es.indices().refresh(r -> r.index(INDEX));
        check(es.count(c -> c.index(INDEX)).count() == RECORDS, "count");
        var found = es.search(s -> s.index(INDEX).size(1)
            .query(q -> q.term(t -> t.field("service").value("search")))
            .sort(o -> o.field(f -> f.field("@timestamp")))
            .aggregations("mean", a -> a.avg(v -> v.field("latency"))), Map.class);
        check(found.hits().total().value() == RECORDS / 3, found.hits().total());
        double mean = found.aggregations().get("mean").avg().value();
        check(mean > 130 && mean < 160, mean);
        say(RECORDS + " documents through the bulk ingester, counted, searched, aggregated");
    }

    static PutJobRequest job() {
        return PutJobRequest.of(j -> j.jobId(JOB).description("latency of each service").groups("web")
            .analysisConfig(a -> a.bucketSpan(s -> s.time("15m")).influencers("service").detectors(d -> d
                .function("mean").fieldName("latency").partitionFieldName("service")
                .customRules(r -> r.actions(RuleAction.SkipResult).scope("service", f -> f.filterId(FILTER)))))
            .analysisLimits(l -> l.modelMemoryLimit("64mb"))
            .dataDescription(d -> d.timeField("@timestamp"))
            .modelPlotConfig(m -> m.enabled(true)));
    }

    static void configure(ElasticsearchClient es) throws Exception {
        var ml = es.ml();
        var filter = ml.putFilter(f -> f.filterId(FILTER).description("quiet").items("search", "archive"));
        check(filter.items().equals(List.of("archive", "search")), filter);
        var changed = ml.updateFilter(f -> f.filterId(FILTER).addItems("mail").removeItems("archive"));
        check(changed.items().equals(List.of("mail", "search")), changed);
        check(ml.getFilters(f -> f.filterId(FILTER)).count() == 1, "filters");
        say("filter created, changed, read");

        var created = ml.putJob(job());
        check(created.jobType().equals("anomaly_detector"), created);
        check(created.analysisLimits().modelMemoryLimit().equals("64mb"), created);
        fails(400, "resource_already_exists_exception", () -> ml.putJob(job()));
        var feed = ml.putDatafeed(d -> d.datafeedId(FEED).jobId(JOB).indices(INDEX)
            .query(q -> q.matchAll(m -> m)).queryDelay(t -> t.time("60s")));
        check(feed.indices().equals(List.of(INDEX)) && feed.chunkingConfig().mode() == ChunkingMode.Auto, feed);
        var rows = ml.previewDatafeed(p -> p.datafeedId(FEED), Map.class).documents();
        check(((Number) rows.get(0).get("@timestamp")).longValue() == START, rows.get(0));
        say("job and datafeed created, a second job of the same name refused, datafeed previewed");

        check(ml.putCalendar(c -> c.calendarId(CALENDAR).description("r")).jobIds().isEmpty(), "calendar");
        check(ml.putCalendarJob(c -> c.calendarId(CALENDAR).jobId(JOB)).jobIds().equals(List.of(JOB)), "its job");
        var posted = ml.postCalendarEvents(c -> c.calendarId(CALENDAR).events(e -> e.description("release")
            .startTime(at(KNOWN_SPIKE)).endTime(at(KNOWN_SPIKE + 4 * SPAN))));
        check(posted.events().size() == 1 && posted.events().get(0).skipResult(), posted);
        var events = ml.getCalendarEvents(c -> c.calendarId(CALENDAR));
        check(events.count() == 1 && events.events().get(0).startTime().toEpochMilli() == KNOWN_SPIKE, events);
        say("calendar with an event, given to the job");
    }

    static void run(ElasticsearchClient es) throws Exception {
        var ml = es.ml();
        check(ml.openJob(o -> o.jobId(JOB)).opened(), "open");
        check(ml.startDatafeed(s -> s.datafeedId(FEED).start(at(START)).end(at(START + DAYS * DAY))).started(), "start");
        for (long deadline = System.nanoTime() + 120_000_000_000L; ; Thread.sleep(100)) {
            var feed = ml.getDatafeedStats(s -> s.datafeedId(FEED)).datafeeds().get(0);
            var job = ml.getJobStats(s -> s.jobId(JOB)).jobs().get(0);
            if (feed.state() == DatafeedState.Stopped && job.state() == JobState.Closed) {
                check(job.dataCounts().processedRecordCount() == RECORDS, job.dataCounts());
                check(job.modelSizeStats().memoryStatus() == MemoryStatus.Ok, job.modelSizeStats());
                check(feed.timingStats().searchCount() > 0, feed);
                break;
            }
            check(System.nanoTime() < deadline, feed);
        }
        say("datafeed ran to its end over " + RECORDS + " records and closed the job");
    }

    static void readResults(ElasticsearchClient es) throws Exception {
        var ml = es.ml();
        var buckets = ml.getBuckets(b -> b.jobId(JOB).start(at(SPIKE)).end(at(SPIKE + SPAN)));
        check(buckets.count() == 1, buckets);
        var bucket = buckets.buckets().get(0);
        check(bucket.timestamp() == SPIKE && bucket.bucketSpan() == 900 && bucket.eventCount() == 9, bucket);
        check(bucket.anomalyScore() >= 75 && !bucket.bucketInfluencers().isEmpty(), bucket);
        var paged = ml.getBuckets(b -> b.jobId(JOB).page(p -> p.from(10).size(5)).sort("timestamp")).buckets();
        check(paged.size() == 5 && paged.get(0).timestamp() == START + 10 * SPAN, paged);
        say("buckets, paged too; the spike's scores " + Math.round(bucket.anomalyScore()));

        var records = ml.getRecords(r -> r.jobId(JOB).recordScore(50.0).sort("record_score").desc(true));
        var top = records.records().get(0);
        check(top.partitionFieldValue().equals("payments") && within(top.timestamp(), SPIKE), top);
        check(top.actual().get(0) > 4 * top.typical().get(0) && top.anomalyScoreExplanation() != null, top);
        say(records.count() + " records of 50 and more, the highest where the spike was planted");

        var influencers = ml.getInfluencers(i -> i.jobId(JOB).influencerScore(50.0));
        check(influencers.influencers().get(0).influencerFieldValue().equals("payments"), influencers);
        say(influencers.count() + " influencers");

        var known = ml.getRecords(r -> r.jobId(JOB).start(at(KNOWN_SPIKE)).end(at(KNOWN_SPIKE + SPAN)));
        check(known.count() == 0, known);
        say("the spike inside the calendar's event is no anomaly");

        var overall = ml.getOverallBuckets(o -> o.jobId(JOB).overallScore(50.0).bucketSpan(t -> t.time("1h")));
        check(overall.overallBuckets().get(0).jobs().get(0).jobId().equals(JOB), overall);
        say("overall buckets");
    }

    static void snapshots(ElasticsearchClient es) throws Exception {
        // The client reads these two times as int, which no time in milliseconds fits, whatever the server.
        var without = "-**.latest_record_time_stamp,-**.latest_result_time_stamp";
        var ml = es.withTransportOptions(o -> o.setParameter("filter_path", without)).ml();
        var found = ml.getModelSnapshots(s -> s.jobId(JOB));
        check(found.count() >= 1, found);
        var id = found.modelSnapshots().get(0).snapshotId();
        var updated = ml.updateModelSnapshot(s -> s.jobId(JOB).snapshotId(id).description("first run").retain(true));
        check(updated.acknowledged() && updated.model().retain(), updated);
        check(ml.revertModelSnapshot(s -> s.jobId(JOB).snapshotId(id)).model().snapshotId().equals(id), "revert");
        fails(400, "illegal_argument_exception", () -> ml.deleteModelSnapshot(s -> s.jobId(JOB).snapshotId(id)));
        say("snapshots listed, changed, reverted to; the active one cannot be deleted");
    }

    static void forecast(ElasticsearchClient es) throws Exception {
        var ml = es.ml();
        check(ml.openJob(o -> o.jobId(JOB)).opened(), "open");
        var made = ml.forecast(f -> f.jobId(JOB).duration(t -> t.time("1d")).expiresIn(t -> t.time("14d")));
        check(made.acknowledged() && !made.forecastId().isEmpty(), made);
        for (long deadline = System.nanoTime() + 60_000_000_000L; ; Thread.sleep(100)) {
            var stats = ml.getJobStats(s -> s.jobId(JOB)).jobs().get(0).forecastsStats();
            if (stats.status() != null && stats.status().getOrDefault("finished", 0L) == 1) {
                break;
            }
            check(System.nanoTime() < deadline, stats);
        }
        var found = es.search(s -> s.index(".ml-anomalies-" + JOB).size(500).query(q -> q.bool(b -> b
            .filter(f -> f.term(t -> t.field("result_type").value("model_forecast")))
            .filter(f -> f.term(t -> t.field("forecast_id").value(made.forecastId()))))), Map.class);
        check(found.hits().hits().size() >= DAY / SPAN, found.hits().total());
        for (var hit : found.hits().hits()) {
            double prediction = number(hit.source(), "forecast_prediction");
            check(number(hit.source(), "forecast_lower") <= prediction, hit);
            check(prediction <= number(hit.source(), "forecast_upper"), hit);
        }
        check(ml.deleteForecast(d -> d.jobId(JOB).forecastId(made.forecastId())).acknowledged(), "delete forecast");
        check(ml.closeJob(c -> c.jobId(JOB)).closed(), "close");
        say("forecast of a day made, " + found.hits().hits().size() + " points read, deleted");
    }

    static double number(Map<?, ?> document, String name) {
        return ((Number) document.get(name)).doubleValue();
    }

    static void remove(ElasticsearchClient es) throws Exception {
        var ml = es.ml();
        check(ml.updateJob(u -> u.jobId(JOB).description("renamed")).description().equals("renamed"), "update");
        check(ml.getJobs(g -> g.jobId("web")).jobs().get(0).description().equals("renamed"), "group");
        var event = ml.getCalendarEvents(c -> c.calendarId(CALENDAR)).events().get(0).eventId();
        check(ml.deleteCalendarEvent(d -> d.calendarId(CALENDAR).eventId(event)).acknowledged(), "event");
        check(ml.deleteCalendarJob(d -> d.calendarId(CALENDAR).jobId(JOB)).jobIds().isEmpty(), "calendar's job");
        check(ml.deleteCalendar(d -> d.calendarId(CALENDAR)).acknowledged(), "calendar");
        check(ml.deleteDatafeed(d -> d.datafeedId(FEED)).acknowledged(), "datafeed");
        check(ml.deleteJob(d -> d.jobId(JOB)).acknowledged(), "job");
        check(ml.deleteFilter(d -> d.filterId(FILTER)).acknowledged(), "filter");
        check(es.indices().delete(d -> d.index(INDEX)).acknowledged(), "index");
        fails(404, "resource_not_found_exception", () -> ml.getJobs(g -> g.jobId(JOB)));
        fails(404, "resource_not_found_exception", () -> ml.getCalendars(g -> g.calendarId(CALENDAR)));
        say("all deleted; what is gone is answered with 404");
    }

    public static void main(String[] arguments) throws Exception {
        try (var es = ElasticsearchClient.of(b -> b.host(System.getenv("AUSPEX_URL")))) {
            indexData(es);
            configure(es);
            run(es);
            readResults(es);
            snapshots(es);
            forecast(es);
            remove(es);
        }
        System.exit(0);
    }
}
