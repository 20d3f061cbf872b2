-- The tables that outlive a full refresh, as the first landed state of the project made them,
-- with a version in force since 2025-04-01. Recorded; the tests upgrade it.

create schema raw;
create schema valuation;
create schema marts;
create schema intermediate;

create table raw.generic_events (
    "visitor_id" varchar,
    "occurred_at" timestamp,
    "event_name" varchar,
    "event_id" varchar,
    "user_id" varchar,
    "page_url" varchar,
    "page_referrer" varchar,
    "properties" varchar,
    "value" decimal(18,4),
    "currency" varchar,
    "order_id" varchar,
    "source" varchar,
    "medium" varchar,
    "campaign" varchar,
    "term" varchar,
    "content" varchar,
    "gclid" varchar,
    "gbraid" varchar,
    "wbraid" varchar,
    "fbclid" varchar,
    "channel_group" varchar,
    "device_category" varchar,
    "country" varchar,
    "user_agent" varchar,
    "consent_analytics" varchar,
    "consent_ads" varchar,
    "session_id" varchar,
    "sequence" bigint,
    "loaded_at" timestamp,
    "unreadable" varchar,
    "load_id" bigint,
    "row_number" bigint,
    "file_name" varchar,
    "landed_at" timestamp
);

create table raw.loads (
    "load_id" bigint,
    "source" varchar,
    "file_name" varchar,
    "content_hash" varchar,
    "size_bytes" bigint,
    "row_count" bigint,
    "status" varchar,
    "reason" varchar,
    "landed_at" timestamp
);

create table raw.watermarks (
    "model" varchar,
    "source_system" varchar,
    "load_id" bigint
);

create table raw.build_state (name varchar primary key, value varchar, built_at timestamp);

create table valuation.val_version_probabilities (
    "value_version" varchar,
    "valid_from" date,
    "macro_conversion" varchar,
    "micro_conversion" varchar,
    "intent_class" varchar,
    "visitor_type" varchar,
    "trials" bigint,
    "mature_trials" bigint,
    "conversions" bigint,
    "raw_probability" double,
    "probability" double,
    "probability_lower" double,
    "probability_upper" double,
    "base_probability" double,
    "probability_without" double,
    "lift" double,
    "lift_lower" double,
    "lift_upper" double,
    "verdict" varchar
);

create table valuation.val_version_states (
    "value_version" varchar,
    "valid_from" date,
    "macro_conversion" varchar,
    "intent_class" varchar,
    "visitor_type" varchar,
    "level" varchar,
    "state_key" bigint,
    "passed" bigint,
    "ended" bigint,
    "passed_value" decimal(18,4),
    "ended_value" decimal(18,4)
);

create table valuation.val_version_values (
    "value_version" varchar,
    "valid_from" date,
    "macro_conversion" varchar,
    "micro_conversion" varchar,
    "intent_class" varchar,
    "visitor_type" varchar,
    "probability" double,
    "average_macro_value" decimal(18,4),
    "tier_weight" double,
    "weighted_value" decimal(18,4),
    "probability_value" decimal(18,4),
    "incremental_value" decimal(18,4),
    "value" decimal(18,4),
    "guardrail" varchar
);

insert into raw.loads values
    (1, 'generic', 'generic/old.csv', 'a1', 100, 2, 'landed', null, '2025-06-01 03:00');
insert into raw.generic_events
    (visitor_id, occurred_at, event_name, load_id, row_number, file_name, landed_at)
values
    ('old visitor', '2025-05-01 10:00', 'view_item', 1, 1, 'generic/old.csv', '2025-06-01 03:00'),
    ('old visitor', '2025-05-01 10:01', 'add_to_cart', 1, 2, 'generic/old.csv', '2025-06-01 03:00');
insert into raw.watermarks values ('int_events', 'generic', 1);
insert into raw.build_state values ('int_event_receipts', '{"models": "of that time"}', '2025-06-01 03:00');
insert into valuation.val_version_values
select
    '2025-Q2', date '2025-04-01', 'purchase', 'cart_filled', '(all)', '(all)',
    0.25, 80, 0.7, 56, 20, 12, 20, null;
insert into valuation.val_version_probabilities
select
    '2025-Q2', date '2025-04-01', 'purchase', 'cart_filled', '(all)', '(all)',
    400, 380, 95, 0.25, 0.25, 0.21, 0.3, 0.05, 0.02, 5, 4, 6, 'predictive';
insert into valuation.val_version_states
select
    '2025-Q2', date '2025-04-01', 'purchase', '(all)', '(all)', 'start', 0,
    9000, 5000, 4, 3;

-- built bit by bit, and no longer in this form
create table intermediate.int_event_receipts as select 'old visitor' as visitor_of_that_time;

-- a mart that the project no longer makes, and what a killed run left
create table marts.mart_of_that_time as select 1 as a;
create table marts.mart_sessions__dbt_tmp as select 1 as a;
