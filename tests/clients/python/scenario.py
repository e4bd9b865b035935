"""One walk through the anomaly-detection API with the official Python client, in the version that is installed.

The other languages' scenarios do the same on the same data; tests/clients/README.md says what they check.
"""

import math
import os
import time

import elasticsearch
from elasticsearch import Elasticsearch, helpers

VERSION = elasticsearch.__version__
START_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z
DAY_MS = 86_400_000
STEP_MS = 300_000
SPAN_MS = 900_000
DAYS = 7
SERVICES = ["checkout", "payments", "search"]
SPIKE_MS = START_MS + 6 * DAY_MS + 10 * 3_600_000
KNOWN_SPIKE_MS = START_MS + 6 * DAY_MS + 15 * 3_600_000
JOB, FEED, CALENDAR, FILTER, INDEX = "latency", "datafeed-latency", "releases", "quiet-services", "requests"

es = Elasticsearch(os.environ["AUSPEX_URL"])


def say(text):
    print(f"  checked: {text}", flush=True)


def ask(function, path=None, query=None, body=None):
    """Version 7 takes a body in one piece, later ones its fields by name."""
    given = {**(path or {}), **(query or {})}
    if VERSION[0] == 7:
        return function(**given, body=body) if body is not None else function(**given)
    return function(**given, **{("from_" if name == "from" else name): value for name, value in (body or {}).items()})


def status_of(error):
    return error.status_code if VERSION[0] == 7 else error.meta.status


def documents():
    for step in range(DAYS * DAY_MS // STEP_MS):
        at = START_MS + step * STEP_MS
        for number, service in enumerate(SERVICES):
            value = 100 + 20 * number + 10 * math.sin(2 * math.pi * (at % DAY_MS) / DAY_MS)
            value += (step * 7919 + number * 31) % 11
            if service == "payments" and SPIKE_MS <= at < SPIKE_MS + 4 * SPAN_MS:
                value *= 8
            if service == "checkout" and KNOWN_SPIKE_MS <= at < KNOWN_SPIKE_MS + 4 * SPAN_MS:
                value *= 8
            yield {"_index": INDEX, "_source": {"@timestamp": at, "service": service, "latency": value}}


def index_data():
    info = es.info()
    assert info["tagline"] == "You Know, for Search", info
    say(f"client {'.'.join(map(str, VERSION))} accepts the server, version {info['version']['number']}")
    mappings = {
        "properties": {
            "@timestamp": {"type": "date"},
            "service": {"type": "keyword"},
            "latency": {"type": "double"},
        }
    }
    assert ask(es.indices.create, {"index": INDEX}, body={"mappings": mappings})["acknowledged"] is True
    indexed, failures = helpers.bulk(es, documents(), refresh=True)
    expected = DAYS * DAY_MS // STEP_MS * len(SERVICES)
    assert (indexed, failures) == (expected, []), (indexed, failures)
    assert es.count(index=INDEX)["count"] == expected
    body = {"query": {"term": {"service": "search"}}, "size": 1, "sort": [{"@timestamp": "desc"}],
            "aggs": {"mean": {"avg": {"field": "latency"}}}}
    found = ask(es.search, {"index": INDEX}, body=body)
    assert found["hits"]["total"]["value"] == expected // 3, found
    assert found["hits"]["hits"][0]["_source"]["@timestamp"] == START_MS + DAYS * DAY_MS - STEP_MS
    assert 130 < found["aggregations"]["mean"]["value"] < 160
    say(f"{expected} documents through bulk, counted, searched, aggregated")


def configure():
    ml = es.ml
    created = ask(ml.put_filter, {"filter_id": FILTER}, body={"items": ["search", "archive"], "description": "quiet"})
    assert created["items"] == ["archive", "search"], created
    changed = ask(ml.update_filter, {"filter_id": FILTER}, body={"add_items": ["mail"], "remove_items": ["archive"]})
    assert changed["items"] == ["mail", "search"], changed
    assert ml.get_filters(filter_id=FILTER)["count"] == 1
    say("filter created, changed, read")

    job = {
        "description": "latency of each service",
        "groups": ["web"],
        "analysis_config": {
            "bucket_span": "15m",
            "detectors": [
                {
                    "function": "mean",
                    "field_name": "latency",
                    "partition_field_name": "service",
                    "custom_rules": [{"actions": ["skip_result"], "scope": {"service": {"filter_id": FILTER}}}],
                }
            ],
            "influencers": ["service"],
        },
        "analysis_limits": {"model_memory_limit": "64mb"},
        "data_description": {"time_field": "@timestamp"},
        "model_plot_config": {"enabled": True},
    }
    created = ask(ml.put_job, {"job_id": JOB}, body=job)
    assert created["job_type"] == "anomaly_detector" and created["analysis_limits"]["model_memory_limit"] == "64mb"
    assert created["analysis_config"]["detectors"][0]["detector_index"] == 0
    try:
        ask(ml.put_job, {"job_id": JOB}, body=job)
        raise AssertionError("a job id can be taken twice")
    except elasticsearch.exceptions.RequestError if VERSION[0] == 7 else elasticsearch.BadRequestError as error:
        assert status_of(error) == 400 and "resource_already_exists_exception" in str(error), error
    feed = {"job_id": JOB, "indices": [INDEX], "query": {"match_all": {}}, "query_delay": "60s"}
    created = ask(ml.put_datafeed, {"datafeed_id": FEED}, body=feed)
    assert created["indices"] == [INDEX] and created["chunking_config"]["mode"] == "auto", created
    rows = ml.preview_datafeed(datafeed_id=FEED)
    rows = list(rows)
    assert rows[0]["@timestamp"] == START_MS and rows[0]["service"] in SERVICES, rows[0]
    say("job and datafeed created, a second job of the same name refused, datafeed previewed")

    assert ask(ml.put_calendar, {"calendar_id": CALENDAR}, body={"job_ids": [], "description": "r"})["job_ids"] == []
    assert ml.put_calendar_job(calendar_id=CALENDAR, job_id=JOB)["job_ids"] == [JOB]
    event = {"description": "release", "start_time": KNOWN_SPIKE_MS, "end_time": KNOWN_SPIKE_MS + 4 * SPAN_MS}
    posted = ask(ml.post_calendar_events, {"calendar_id": CALENDAR}, body={"events": [event]})
    assert posted["events"][0]["start_time"] == KNOWN_SPIKE_MS and posted["events"][0]["skip_result"] is True, posted
    events = ml.get_calendar_events(calendar_id=CALENDAR)
    assert events["count"] == 1 and events["events"][0]["event_id"], events
    assert ml.get_calendars(calendar_id=CALENDAR)["calendars"][0]["job_ids"] == [JOB]
    say("calendar with an event, given to the job")


def run():
    ml = es.ml
    assert ml.open_job(job_id=JOB)["opened"] is True
    times = {"start": START_MS, "end": START_MS + DAYS * DAY_MS}
    assert ask(ml.start_datafeed, {"datafeed_id": FEED}, body=times)["started"] is True
    deadline = time.monotonic() + 120
    while True:
        feed = ml.get_datafeed_stats(datafeed_id=FEED)["datafeeds"][0]
        job = ml.get_job_stats(job_id=JOB)["jobs"][0]
        if feed["state"] == "stopped" and job["state"] == "closed":
            break
        assert time.monotonic() < deadline, (feed, job)
        time.sleep(0.1)
    counts = job["data_counts"]
    records = DAYS * DAY_MS // STEP_MS * len(SERVICES)
    assert counts["processed_record_count"] == records, counts
    assert counts["bucket_count"] == DAYS * DAY_MS // SPAN_MS - 1 or counts["bucket_count"] == DAYS * DAY_MS // SPAN_MS
    assert job["model_size_stats"]["memory_status"] == "ok" and job["model_size_stats"]["total_partition_field_count"] >= 3
    assert feed["timing_stats"]["search_count"] > 0, feed
    say(f"datafeed ran to its end over {records} records and closed the job")


def read_results():
    ml = es.ml
    body = {"start": str(SPIKE_MS), "end": str(SPIKE_MS + SPAN_MS)}
    buckets = ask(ml.get_buckets, {"job_id": JOB}, body=body)
    assert buckets["count"] == 1, buckets
    bucket = buckets["buckets"][0]
    assert bucket["timestamp"] == SPIKE_MS and bucket["bucket_span"] == 900 and bucket["event_count"] == 9, bucket
    assert bucket["anomaly_score"] >= 75 and bucket["is_interim"] is False, bucket
    assert any(one["influencer_field_name"] == "service" for one in bucket["bucket_influencers"]), bucket
    paged = ask(ml.get_buckets, {"job_id": JOB}, body={"page": {"from": 10, "size": 5}, "sort": "timestamp"})
    assert [one["timestamp"] for one in paged["buckets"]] == [START_MS + (10 + i) * SPAN_MS for i in range(5)], paged
    say(f"buckets, paged too; the spike's scores {bucket['anomaly_score']:.0f}")

    body = {"record_score": 50, "sort": "record_score", "desc": True}
    records = ask(ml.get_records, {"job_id": JOB}, body=body)
    assert records["count"] == len(records["records"]) > 0, records
    top = records["records"][0]
    assert top["partition_field_value"] == "payments" and SPIKE_MS <= top["timestamp"] < SPIKE_MS + 4 * SPAN_MS, top
    assert top["function"] == "mean" and top["actual"][0] > 4 * top["typical"][0] > 0, top
    assert all(one["partition_field_value"] != "search" for one in records["records"]), "the rule's filter is heeded"
    say(f"{records['count']} records of 50 and more, the highest where the spike was planted")

    influencers = ask(ml.get_influencers, {"job_id": JOB}, body={"influencer_score": 50})
    assert influencers["influencers"][0]["influencer_field_value"] == "payments", influencers
    say(f"{influencers['count']} influencers")

    body = {"start": str(KNOWN_SPIKE_MS), "end": str(KNOWN_SPIKE_MS + SPAN_MS), "expand": True}
    known = ask(ml.get_buckets, {"job_id": JOB}, body=body)["buckets"][0]
    assert known["scheduled_events"] == ["release"] and known.get("records", []) == [], known
    say("the spike inside the calendar's event is no anomaly")

    overall = ask(ml.get_overall_buckets, {"job_id": JOB}, body={"overall_score": 50, "bucket_span": "1h"})
    assert overall["overall_buckets"][0]["jobs"][0]["job_id"] == JOB, overall
    body = {"size": 0, "query": {"term": {"result_type": "model_plot"}}, "track_total_hits": True}
    plots = ask(es.search, {"index": f".ml-anomalies-{JOB}"}, body=body)
    assert plots["hits"]["total"]["value"] > 1000, plots
    say("overall buckets, and the model plot in the results' index")


def snapshots():
    ml = es.ml
    found = ml.get_model_snapshots(job_id=JOB)
    assert found["count"] >= 1, found
    snapshot = found["model_snapshots"][0]["snapshot_id"]
    body = {"description": "after the first run", "retain": True}
    updated = ask(ml.update_model_snapshot, {"job_id": JOB, "snapshot_id": snapshot}, body=body)
    assert updated["acknowledged"] is True and updated["model"]["retain"] is True, updated
    reverted = ml.revert_model_snapshot(job_id=JOB, snapshot_id=snapshot)
    assert reverted["model"]["snapshot_id"] == snapshot, reverted
    try:
        ml.delete_model_snapshot(job_id=JOB, snapshot_id=snapshot)
        raise AssertionError("the active snapshot can be deleted")
    except elasticsearch.exceptions.RequestError if VERSION[0] == 7 else elasticsearch.BadRequestError as error:
        assert status_of(error) == 400, error
    say("snapshots listed, changed, reverted to; the active one cannot be deleted")


def forecast():
    ml = es.ml
    ml.open_job(job_id=JOB)
    answer = ml.forecast(job_id=JOB, duration="1d", expires_in="14d")
    assert answer["acknowledged"] is True and answer["forecast_id"], answer
    deadline = time.monotonic() + 60
    while True:
        stats = ml.get_job_stats(job_id=JOB)["jobs"][0]["forecasts_stats"]
        if stats.get("status", {}).get("finished") == 1:
            break
        assert time.monotonic() < deadline, stats
        time.sleep(0.1)
    query = {"bool": {"filter": [{"term": {"result_type": "model_forecast"}},
                                 {"term": {"forecast_id": answer["forecast_id"]}}]}}
    found = ask(es.search, {"index": f".ml-anomalies-{JOB}"}, body={"query": query, "size": 500})
    points = [hit["_source"] for hit in found["hits"]["hits"]]
    assert len(points) >= DAY_MS // SPAN_MS, found["hits"]["total"]
    for point in points:
        assert point["forecast_lower"] <= point["forecast_prediction"] <= point["forecast_upper"], point
    assert ml.delete_forecast(job_id=JOB, forecast_id=answer["forecast_id"])["acknowledged"] is True
    assert ml.close_job(job_id=JOB)["closed"] is True
    say(f"forecast of a day made, {len(points)} points read, deleted")


def remove():
    ml = es.ml
    assert ask(ml.update_job, {"job_id": JOB}, body={"description": "renamed"})["description"] == "renamed"
    assert ml.get_jobs(job_id="web")["jobs"][0]["description"] == "renamed"
    event = ml.get_calendar_events(calendar_id=CALENDAR)["events"][0]["event_id"]
    assert ml.delete_calendar_event(calendar_id=CALENDAR, event_id=event)["acknowledged"] is True
    assert ml.delete_calendar_job(calendar_id=CALENDAR, job_id=JOB)["job_ids"] == []
    assert ml.delete_calendar(calendar_id=CALENDAR)["acknowledged"] is True
    assert ml.delete_datafeed(datafeed_id=FEED)["acknowledged"] is True
    assert ml.delete_job(job_id=JOB)["acknowledged"] is True
    assert ml.delete_filter(filter_id=FILTER)["acknowledged"] is True
    assert es.indices.delete(index=INDEX)["acknowledged"] is True
    for gone in (lambda: ml.get_jobs(job_id=JOB), lambda: ml.get_calendars(calendar_id=CALENDAR)):
        try:
            gone()
            raise AssertionError("what was deleted is still there")
        except elasticsearch.NotFoundError as error:
            assert status_of(error) == 404 and "resource_not_found_exception" in str(error), error
    say("all deleted; what is gone is a NotFoundError")


def main():
    index_data()
    configure()
    run()
    read_results()
    snapshots()
    forecast()
    remove()


main()
