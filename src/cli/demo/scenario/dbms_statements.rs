//! What a database server says of statements that took long: the shop's queries, and the jobs behind it.

use super::dbms_templates::Rhythm::{self, Busy, Steady};
use super::dbms_templates::Role::{self, Any, Primary, Replica};
use super::dbms_templates::Template;

const fn slow(role: Role, rhythm: Rhythm, text: &'static str) -> Template {
    Template { role, rhythm, level: "LOG", text }
}

/// Statements of the shop and its jobs.
pub(super) const STATEMENTS: &[Template] = &[
    slow(Any, Busy(6.0), "duration: {ms} ms  statement: SELECT id, name, price FROM products WHERE id = {n}"),
    slow(
        Any,
        Busy(5.0),
        "duration: {ms} ms  execute fetch_customer: SELECT * FROM customers WHERE customer_id = {n} LIMIT 1",
    ),
    slow(
        Any,
        Busy(5.0),
        "duration: {ms} ms  statement: SELECT count(*) FROM orders WHERE created_at > now() - interval '{small} days'",
    ),
    slow(
        Any,
        Busy(4.0),
        "duration: {ms} ms  statement: SELECT sku, quantity FROM stock WHERE warehouse = {small} ORDER BY quantity DESC",
    ),
    slow(
        Any,
        Busy(4.0),
        "duration: {ms} ms  execute search_terms: SELECT term, weight FROM search_index WHERE bucket = {n}",
    ),
    slow(
        Any,
        Busy(3.0),
        "duration: {ms} ms  statement: SELECT avg(rating) FROM reviews JOIN products USING (product_id) WHERE category = {small}",
    ),
    slow(
        Replica,
        Busy(4.0),
        "duration: {ms} ms  statement: SELECT date_trunc('day', paid_at), sum(amount) FROM payments GROUP BY 1 HAVING sum(amount) > {n}",
    ),
    slow(
        Replica,
        Busy(4.0),
        "duration: {ms} ms  statement: WITH recent AS (SELECT * FROM visits WHERE visitor = {n}) SELECT page, count(*) FROM recent GROUP BY page",
    ),
    slow(
        Replica,
        Steady(4.0),
        "duration: {ms} ms  execute report_margin: SELECT region, margin FROM monthly_margin WHERE month = {small}",
    ),
    slow(
        Replica,
        Steady(4.0),
        "duration: {ms} ms  statement: COPY (SELECT * FROM invoices WHERE year = {n}) TO STDOUT",
    ),
    slow(
        Replica,
        Steady(4.0),
        "duration: {ms} ms  statement: REFRESH MATERIALIZED VIEW CONCURRENTLY bestsellers -- run {n}",
    ),
    slow(
        Replica,
        Steady(3.0),
        "duration: {ms} ms  statement: DECLARE export_cursor CURSOR FOR SELECT * FROM shipments WHERE carrier = {small}",
    ),
    slow(
        Primary,
        Busy(7.0),
        "duration: {ms} ms  statement: INSERT INTO orders (customer, total) VALUES ({n}, {s})",
    ),
    slow(
        Primary,
        Busy(6.0),
        "duration: {ms} ms  execute add_item: INSERT INTO cart_items (cart, product, quantity) VALUES ({n}, {n}, {small})",
    ),
    slow(
        Primary,
        Busy(6.0),
        "duration: {ms} ms  statement: UPDATE stock SET reserved = reserved + {small} WHERE sku = {n}",
    ),
    slow(
        Primary,
        Busy(5.0),
        "duration: {ms} ms  statement: UPDATE customers SET last_login = now() WHERE customer_id = {n}",
    ),
    slow(
        Primary,
        Busy(5.0),
        "duration: {ms} ms  execute touch_session: UPDATE sessions SET expires = now() + interval '{small} minutes' WHERE token = '{hex}'",
    ),
    slow(
        Primary,
        Busy(4.0),
        "duration: {ms} ms  statement: DELETE FROM cart_items WHERE cart = {n} AND removed",
    ),
    slow(
        Primary,
        Busy(4.0),
        "duration: {ms} ms  execute record_payment: INSERT INTO payments (invoice, amount, method) VALUES ({n}, {s}, {small})",
    ),
    slow(Primary, Busy(4.0), "duration: {ms} ms  statement: SELECT pg_advisory_xact_lock({n})"),
    slow(
        Primary,
        Busy(3.0),
        "duration: {ms} ms  statement: INSERT INTO reviews (product, stars, body) SELECT {n}, {small}, draft FROM review_drafts",
    ),
    slow(
        Primary,
        Busy(3.0),
        "duration: {ms} ms  statement: UPDATE shipments SET state = 'handed over' WHERE parcel = '{hex}'",
    ),
    slow(
        Primary,
        Steady(4.0),
        "duration: {ms} ms  statement: DELETE FROM sessions WHERE expires < now() -- removed {n}",
    ),
    slow(
        Primary,
        Steady(4.0),
        "duration: {ms} ms  statement: SELECT job FROM queue WHERE run_at < now() FOR UPDATE SKIP LOCKED LIMIT {small}",
    ),
    slow(Primary, Steady(4.0), "duration: {ms} ms  statement: CALL reprice_catalogue({small}, {n})"),
    slow(Primary, Steady(3.0), "duration: {ms} ms  statement: CREATE TEMPORARY TABLE import_{n} (line text)"),
    slow(Primary, Steady(3.0), "duration: {ms} ms  statement: COPY import_{n} FROM STDIN WITH CSV"),
    slow(
        Primary,
        Steady(3.0),
        "duration: {ms} ms  statement: TRUNCATE staging_prices; ANALYZE staging_prices -- batch {n}",
    ),
    slow(
        Primary,
        Steady(3.0),
        "duration: {ms} ms  statement: MERGE INTO prices USING staging_prices ON sku WHEN MATCHED THEN UPDATE -- batch {n}",
    ),
    slow(
        Any,
        Busy(4.0),
        "duration: {ms} ms  parse fetch_product_page: SELECT html FROM page_cache WHERE path_hash = {n}",
    ),
    slow(
        Any,
        Busy(4.0),
        "duration: {ms} ms  bind fetch_recommendations: SELECT other FROM bought_together WHERE product = {n}",
    ),
    slow(
        Any,
        Steady(3.0),
        "duration: {ms} ms  statement: SELECT pg_database_size('shop'), pg_postmaster_start_time() -- probe {n}",
    ),
    slow(
        Any,
        Steady(4.0),
        "duration: {ms} ms  statement: SELECT state, count(*) FROM pg_stat_activity GROUP BY state -- monitor {n}",
    ),
    slow(
        Any,
        Steady(4.0),
        "duration: {ms} ms  statement: SELECT relname, n_dead_tup FROM pg_stat_user_tables WHERE n_dead_tup > {n}",
    ),
    slow(
        Any,
        Steady(3.0),
        "duration: {ms} ms  statement: SELECT checkpoints_timed, buffers_backend FROM pg_stat_bgwriter -- scrape {n}",
    ),
];
