// One walk through the anomaly-detection API with the official JavaScript client, in the version that is installed.
// The other languages' scenarios do the same on the same data; tests/clients/README.md says what they check.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

// The packages lie beside the place where the test installed them, not beside this file.
const require = createRequire(`${process.cwd()}/`)
const { Client, errors } = require('@elastic/elasticsearch')
const version = JSON.parse(readFileSync('node_modules/@elastic/elasticsearch/package.json', 'utf8')).version

const START = 1767225600000 // 2026-01-01T00:00:00Z
const DAY = 86400000
const STEP = 300000
const SPAN = 900000
const DAYS = 7
const SERVICES = ['checkout', 'payments', 'search']
const SPIKE = START + 6 * DAY + 10 * 3600000
const KNOWN_SPIKE = START + 6 * DAY + 15 * 3600000
const RECORDS = (DAYS * DAY / STEP) * SERVICES.length
const job_id = 'latency'
const datafeed_id = 'datafeed-latency'
const calendar_id = 'releases'
const filter_id = 'quiet-services'
const index = 'requests'

const es = new Client({ node: process.env.AUSPEX_URL })
const say = (text) => console.log(`  checked: ${text}`)

function * documents () {
  for (let step = 0; step < DAYS * DAY / STEP; step++) {
    const at = START + step * STEP
    for (const [number, service] of SERVICES.entries()) {
      let latency = 100 + 20 * number + 10 * Math.sin(2 * Math.PI * (at % DAY) / DAY) + (step * 7919 + number * 31) % 11
      if (service === 'payments' && at >= SPIKE && at < SPIKE + 4 * SPAN) latency *= 8
      if (service === 'checkout' && at >= KNOWN_SPIKE && at < KNOWN_SPIKE + 4 * SPAN) latency *= 8
      yield { '@timestamp': at, service, latency }
    }
  }
}

async function fails (status, type, request) {
  try {
    await request()
  } catch (error) {
    assert.ok(error instanceof errors.ResponseError, String(error))
    assert.equal(error.statusCode, status)
    assert.equal(error.body.error.type, type)
    return
  }
  assert.fail(`an answer ${status} was expected`)
}

async function indexData () {
  const info = await es.info()
  assert.equal(info.tagline, 'You Know, for Search')
  say(`client ${version} accepts the server, version ${info.version.number}`)
  const properties = { '@timestamp': { type: 'date' }, service: { type: 'keyword' }, latency: { type: 'double' } }
  assert.equal((await es.indices.create({ index, mappings: { properties } })).acknowledged, true)
  const result = await es.helpers.bulk({
    datasource: [...documents()],
    onDocument: () => ({ index: { _index: index } }),
    refreshOnCompletion: index
  })
  assert.equal(result.successful, RECORDS)
  assert.equal(result.failed, 0)
  assert.equal((await es.count({ index })).count, RECORDS)
  const found = await es.search({
    index,
    query: { term: { service: 'search' } },
    size: 1,
    sort: [{ '@timestamp': 'desc' }],
    aggs: { mean: { avg: { field: 'latency' } } }
  })
  assert.equal(found.hits.total.value, RECORDS / 3)
  assert.equal(found.hits.hits[0]._source['@timestamp'], START + DAYS * DAY - STEP)
  assert.ok(found.aggregations.mean.value > 130 && found.aggregations.mean.value < 160)
  say(`${RECORDS} documents through the bulk helper, counted, searched, aggregated`)
}

async function configure () {
  const filter = await es.ml.putFilter({ filter_id, items: ['search', 'archive'], description: 'quiet' })
  assert.deepEqual(filter.items, ['archive', 'search'])
  const changed = await es.ml.updateFilter({ filter_id, add_items: ['mail'], remove_items: ['archive'] })
  assert.deepEqual(changed.items, ['mail', 'search'])
  assert.equal((await es.ml.getFilters({ filter_id })).count, 1)
  say('filter created, changed, read')

  const job = {
    job_id,
    description: 'latency of each service',
    groups: ['web'],
    analysis_config: {
      bucket_span: '15m',
      detectors: [{
        function: 'mean',
        field_name: 'latency',
        partition_field_name: 'service',
        custom_rules: [{ actions: ['skip_result'], scope: { service: { filter_id } } }]
      }],
      influencers: ['service']
    },
    analysis_limits: { model_memory_limit: '64mb' },
    data_description: { time_field: '@timestamp' },
    model_plot_config: { enabled: true }
  }
  const created = await es.ml.putJob(job)
  assert.equal(created.job_type, 'anomaly_detector')
  assert.equal(created.analysis_limits.model_memory_limit, '64mb')
  assert.equal(created.analysis_config.detectors[0].detector_index, 0)
  await fails(400, 'resource_already_exists_exception', () => es.ml.putJob(job))
  const feed = await es.ml.putDatafeed({ datafeed_id, job_id, indices: [index], query: { match_all: {} }, query_delay: '60s' })
  assert.deepEqual(feed.indices, [index])
  assert.equal(feed.chunking_config.mode, 'auto')
  const rows = await es.ml.previewDatafeed({ datafeed_id })
  assert.equal(rows[0]['@timestamp'], START)
  say('job and datafeed created, a second job of the same name refused, datafeed previewed')

  assert.deepEqual((await es.ml.putCalendar({ calendar_id, job_ids: [], description: 'r' })).job_ids, [])
  assert.deepEqual((await es.ml.putCalendarJob({ calendar_id, job_id })).job_ids, [job_id])
  const event = { description: 'release', start_time: KNOWN_SPIKE, end_time: KNOWN_SPIKE + 4 * SPAN }
  const posted = await es.ml.postCalendarEvents({ calendar_id, events: [event] })
  assert.equal(posted.events[0].start_time, KNOWN_SPIKE)
  const events = await es.ml.getCalendarEvents({ calendar_id })
  assert.equal(events.count, 1)
  assert.ok(events.events[0].event_id)
  say('calendar with an event, given to the job')
}

async function run () {
  assert.equal((await es.ml.openJob({ job_id })).opened, true)
  assert.equal((await es.ml.startDatafeed({ datafeed_id, start: START, end: START + DAYS * DAY })).started, true)
  const deadline = Date.now() + 120000
  for (;;) {
    const feed = (await es.ml.getDatafeedStats({ datafeed_id })).datafeeds[0]
    const job = (await es.ml.getJobStats({ job_id })).jobs[0]
    if (feed.state === 'stopped' && job.state === 'closed') {
      assert.equal(job.data_counts.processed_record_count, RECORDS)
      assert.equal(job.model_size_stats.memory_status, 'ok')
      assert.ok(feed.timing_stats.search_count > 0)
      break
    }
    assert.ok(Date.now() < deadline, `feed ${feed.state}, job ${job.state}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  say(`datafeed ran to its end over ${RECORDS} records and closed the job`)
}

async function readResults () {
  const buckets = await es.ml.getBuckets({ job_id, start: String(SPIKE), end: String(SPIKE + SPAN) })
  assert.equal(buckets.count, 1)
  const bucket = buckets.buckets[0]
  assert.equal(bucket.timestamp, SPIKE)
  assert.equal(bucket.bucket_span, 900)
  assert.equal(bucket.event_count, 9)
  assert.ok(bucket.anomaly_score >= 75)
  const paged = await es.ml.getBuckets({ job_id, page: { from: 10, size: 5 }, sort: 'timestamp' })
  assert.deepEqual(paged.buckets.map((one) => one.timestamp), [10, 11, 12, 13, 14].map((n) => START + n * SPAN))
  say(`buckets, paged too; the spike's scores ${bucket.anomaly_score.toFixed(0)}`)

  const records = await es.ml.getRecords({ job_id, record_score: 50, sort: 'record_score', desc: true })
  const top = records.records[0]
  assert.equal(records.count, records.records.length)
  assert.equal(top.partition_field_value, 'payments')
  assert.ok(top.timestamp >= SPIKE && top.timestamp < SPIKE + 4 * SPAN)
  assert.ok(top.actual[0] > 4 * top.typical[0])
  assert.ok(records.records.every((one) => one.partition_field_value !== 'search'))
  say(`${records.count} records of 50 and more, the highest where the spike was planted`)

  const influencers = await es.ml.getInfluencers({ job_id, influencer_score: 50 })
  assert.equal(influencers.influencers[0].influencer_field_value, 'payments')
  say(`${influencers.count} influencers`)

  const known = await es.ml.getBuckets({ job_id, start: String(KNOWN_SPIKE), end: String(KNOWN_SPIKE + SPAN), expand: true })
  assert.deepEqual(known.buckets[0].scheduled_events, ['release'])
  assert.deepEqual(known.buckets[0].records ?? [], [])
  say("the spike inside the calendar's event is no anomaly")

  const overall = await es.ml.getOverallBuckets({ job_id, overall_score: 50, bucket_span: '1h' })
  assert.equal(overall.overall_buckets[0].jobs[0].job_id, job_id)
  say('overall buckets')
}

async function snapshots () {
  const found = await es.ml.getModelSnapshots({ job_id })
  assert.ok(found.count >= 1)
  const snapshot_id = found.model_snapshots[0].snapshot_id
  const updated = await es.ml.updateModelSnapshot({ job_id, snapshot_id, description: 'after the first run', retain: true })
  assert.equal(updated.model.retain, true)
  assert.equal((await es.ml.revertModelSnapshot({ job_id, snapshot_id })).model.snapshot_id, snapshot_id)
  await fails(400, 'illegal_argument_exception', () => es.ml.deleteModelSnapshot({ job_id, snapshot_id }))
  say('snapshots listed, changed, reverted to; the active one cannot be deleted')
}

async function forecast () {
  await es.ml.openJob({ job_id })
  const answer = await es.ml.forecast({ job_id, duration: '1d', expires_in: '14d' })
  assert.equal(answer.acknowledged, true)
  const { forecast_id } = answer
  for (const deadline = Date.now() + 60000; ;) {
    const stats = (await es.ml.getJobStats({ job_id })).jobs[0].forecasts_stats
    if (stats.status?.finished === 1) break
    assert.ok(Date.now() < deadline, JSON.stringify(stats))
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  const filter = [{ term: { result_type: 'model_forecast' } }, { term: { forecast_id } }]
  const found = await es.search({ index: `.ml-anomalies-${job_id}`, query: { bool: { filter } }, size: 500 })
  const points = found.hits.hits.map((hit) => hit._source)
  assert.ok(points.length >= DAY / SPAN)
  assert.ok(points.every((one) => one.forecast_lower <= one.forecast_prediction && one.forecast_prediction <= one.forecast_upper))
  assert.equal((await es.ml.deleteForecast({ job_id, forecast_id })).acknowledged, true)
  assert.equal((await es.ml.closeJob({ job_id })).closed, true)
  say(`forecast of a day made, ${points.length} points read, deleted`)
}

async function remove () {
  assert.equal((await es.ml.updateJob({ job_id, description: 'renamed' })).description, 'renamed')
  assert.equal((await es.ml.getJobs({ job_id: 'web' })).jobs[0].description, 'renamed')
  const event_id = (await es.ml.getCalendarEvents({ calendar_id })).events[0].event_id
  assert.equal((await es.ml.deleteCalendarEvent({ calendar_id, event_id })).acknowledged, true)
  assert.deepEqual((await es.ml.deleteCalendarJob({ calendar_id, job_id })).job_ids, [])
  assert.equal((await es.ml.deleteCalendar({ calendar_id })).acknowledged, true)
  assert.equal((await es.ml.deleteDatafeed({ datafeed_id })).acknowledged, true)
  assert.equal((await es.ml.deleteJob({ job_id })).acknowledged, true)
  assert.equal((await es.ml.deleteFilter({ filter_id })).acknowledged, true)
  assert.equal((await es.indices.delete({ index })).acknowledged, true)
  await fails(404, 'resource_not_found_exception', () => es.ml.getJobs({ job_id }))
  await fails(404, 'resource_not_found_exception', () => es.ml.getCalendars({ calendar_id }))
  say('all deleted; what is gone is answered with 404')
}

for (const step of [indexData, configure, run, readResults, snapshots, forecast, remove]) await step()
await es.close()
