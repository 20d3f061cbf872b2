{% macro ga4_text(key) -%}
    {#- Value of one GA4 event parameter as text, whichever of its types carries it; null when the
        key is missing or all its values are. A whole number is the same text whether it came as an
        integer or as a floating-point number. -#}
    {{ return(adapter.dispatch('ga4_text', 'intent_map')(key)) }}
{%- endmacro %}

{% macro duckdb__ga4_text(key) -%}
    {#- The place of the key, since to filter the parameters copies them; DuckDB takes the keys out
        once for all that ask in one select. -#}
    {%- set value = "event_params[list_position(" ~ ga4_keys() ~ ", '" ~ key ~ "')].value" -%}
    coalesce(
        {{ value }}.string_value,
        cast({{ value }}.int_value as varchar),
        {{ number_as_text(value ~ '.double_value') }},
        {{ number_as_text(value ~ '.float_value') }}
    )
{%- endmacro %}

{% macro number_as_text(number) -%}
    {#- A floating-point number as text, a whole one without its fraction of 0. -#}
    {{ return(adapter.dispatch('number_as_text', 'intent_map')(number)) }}
{%- endmacro %}

{% macro duckdb__number_as_text(number) -%}
    regexp_replace(cast({{ number }} as varchar), '\.0$', '')
{%- endmacro %}

{% macro ga4_properties() -%}
    {#- The event's parameters as a JSON object; numbers stay numbers; nulls, and numbers that JSON
        cannot write (NaN), are left out. Properties of the user follow as user.<name>, then the
        host and what is known of the items. Null when there is nothing. -#}
    {{ return(adapter.dispatch('ga4_properties', 'intent_map')()) }}
{%- endmacro %}

{% macro duckdb__ga4_properties() -%}
    nullif('{' || concat_ws(
        ',',
        nullif(array_to_string({{ ga4_members('event_params', "''") }}, ','), ''),
        nullif(array_to_string({{ ga4_members('user_properties', "'user.'") }}, ','), ''),
        '"hostname":' || cast(
            to_json(coalesce(device.web_info.hostname, event_dimensions.hostname)) as varchar
        ),
        case when len(items) > 0 then '"item_count":' || len(items) end,
        case
            when len(items) > 0 then '"item_ids":' || cast(
                to_json(list_transform(items, lambda item: item.item_id)) as varchar
            )
        end
    ) || '}', '{}')
{%- endmacro %}

{% macro ga4_members(params, prefix) -%}
    {#- List of parameters as members of a JSON object, each name behind a prefix. -#}
    {{ return(adapter.dispatch('ga4_members', 'intent_map')(params, prefix)) }}
{%- endmacro %}

{% macro duckdb__ga4_members(params, prefix) -%}
    list_transform(
        {{ params }},
        lambda param: cast(to_json({{ prefix }} || param.key) as varchar) || ':' || coalesce(
            cast(to_json(param.value.string_value) as varchar),
            cast(param.value.int_value as varchar),
            case
                when isfinite(param.value.double_value)
                    then cast(param.value.double_value as varchar)
            end,
            case
                when isfinite(param.value.float_value)
                    then cast(param.value.float_value as varchar)
            end
        )
    )
{%- endmacro %}

{% macro ga4_event_id() -%}
    {#- What tells one GA4 event from another, as one text, the same on every engine and for ever: the MD5
        of stream, visitor, session, name, moment, place in the batch, since batching gives distinct
        events one moment, and parameters. -#}
    md5(concat_ws(
        chr(31), coalesce(stream_id, ''), coalesce(user_pseudo_id, ''), coalesce(ga_session_id, ''),
        coalesce(event_name, ''), coalesce(cast(event_timestamp as string), ''),
        coalesce(cast(event_bundle_sequence_id as string), ''),
        coalesce(cast(batch_page_id as string), ''),
        coalesce(cast(batch_ordering_id as string), ''),
        coalesce(cast(batch_event_index as string), ''),
        coalesce({{ ga4_sorted_params() }}, '')
    ))
{%- endmacro %}

{% macro ga4_event_key() -%}
    {#- Key of a GA4 event inside the warehouse: the same where ga4_event_id, which the caller has as
        known_event_id, is the same. -#}
    {{ return(adapter.dispatch('ga4_event_key', 'intent_map')()) }}
{%- endmacro %}

{% macro default__ga4_event_key() -%}
    {{ internal_key(["'ga4'", 'known_event_id']) }}
{%- endmacro %}

{% macro duckdb__ga4_event_key() -%}
    {#- Without the text, which takes six times as long: every reading of raw that names an event makes its
        key. A sum of hashes does not depend on the order either. -#}
    {{ internal_key([
        "'ga4'", 'stream_id', 'user_pseudo_id', 'ga_session_id', 'event_name', 'event_timestamp',
        'event_bundle_sequence_id', 'batch_page_id', 'batch_ordering_id', 'batch_event_index',
        ga4_hashed_params()
    ]) }}
{%- endmacro %}

{% macro ga4_sorted_params() -%}
    {#- What the parameters say as one text that does not depend on their order. Where the visit came
        from is left out, as are keys without a value: the daily export fills them in, and an event
        of the intraday table must stay the same event there. -#}
    {{ return(adapter.dispatch('ga4_sorted_params', 'intent_map')()) }}
{%- endmacro %}

{% macro duckdb__ga4_sorted_params() -%}
    array_to_string(
        list_sort(
            list_transform(
                list_filter(event_params, lambda param: param.key not in ({{ ga4_late_keys() }})),
                lambda param: param.key || '=' || {{ ga4_identifying_value() }}
            )
        ),
        chr(30)
    )
{%- endmacro %}

{% macro ga4_hashed_params() -%}
    {#- What ga4_sorted_params says, as a number. -#}
    list_sum(list_transform(
        event_params,
        lambda param: case
            when
                param.key not in ({{ ga4_late_keys() }})
                and (
                    param.value.string_value is not null
                    or param.value.int_value is not null
                    or param.value.double_value is not null
                    or param.value.float_value is not null
                )
                then hash(param.key, {{ ga4_identifying_value() }})
        end
    ))
{%- endmacro %}

{% macro ga4_identifying_value() -%}
    {#- The value of `param` as text, as the source wrote it. -#}
    coalesce(
        param.value.string_value,
        cast(param.value.int_value as varchar),
        cast(param.value.double_value as varchar),
        cast(param.value.float_value as varchar)
    )
{%- endmacro %}

{% macro ga4_keys() -%}
    {#- The names of the parameters, in their order. -#}
    list_transform(event_params, lambda param: param.key)
{%- endmacro %}

{% macro ga4_late_keys() -%}
    {#- Parameters that the daily export fills in behind the intraday table. -#}
    'source', 'medium', 'campaign', 'campaign_id', 'term', 'content', 'gclid', 'dclid', 'srsltid'
{%- endmacro %}

{% macro spark__ga4_text(key) -%}
    get(
        transform(
            filter(event_params, param -> param.key = '{{ key }}'),
            param -> coalesce(
                param.value.string_value,
                cast(param.value.int_value as string),
                {{ number_as_text('coalesce(param.value.double_value, param.value.float_value)') }}
            )
        ),
        0
    )
{%- endmacro %}

{% macro spark__number_as_text(number) -%}
    regexp_replace({{ spark_number(number) }}, '[.]0$', '')
{%- endmacro %}

{% macro spark_number(number) -%}
    {#- Java writes numbers from ten million on, and below a thousandth, with an exponent. -#}
    case
        when
            abs({{ number }}) >= 0.0001
            and abs({{ number }}) < 10000000000000000
            and cast({{ number }} as string) like '%E%'
            then regexp_replace(
                regexp_replace(
                    cast(cast(cast({{ number }} as string) as decimal(38, 20)) as string),
                    '0+$', ''
                ),
                '[.]$', '.0'
            )
        else lower(cast({{ number }} as string))
    end
{%- endmacro %}

{% macro spark__ga4_properties() -%}
    nullif(concat('{', array_join(
        concat(
            coalesce({{ ga4_members('event_params', "''") }}, array()),
            coalesce({{ ga4_members('user_properties', "'user.'") }}, array()),
            array(
                concat('"hostname":', {{ spark_json_string(
                    'coalesce(device.web_info.hostname, event_dimensions.hostname)'
                ) }}),
                case when size(items) > 0 then concat('"item_count":', size(items)) end,
                case
                    when size(items) > 0 then concat(
                        '"item_ids":[',
                        array_join(
                            transform(
                                items,
                                item -> coalesce({{ spark_json_string('item.item_id') }}, 'null')
                            ),
                            ','
                        ),
                        ']'
                    )
                end
            )
        ),
        ','
    ), '}'), '{}')
{%- endmacro %}

{% macro spark_json_string(text) -%}
    {#- A text as JSON writes it: of an object with one member, what stands behind its name. -#}
    case
        when {{ text }} is not null
            then regexp_extract(
                to_json(named_struct('t', {{ text }})), '(?s)^[{]"t":(.*)[}]$', 1
            )
    end
{%- endmacro %}

{% macro spark__ga4_members(params, prefix) -%}
    transform(
        {{ params }},
        param -> concat(
            {{ spark_json_string("concat(" ~ prefix ~ ", param.key)") }},
            ':',
            coalesce(
                {{ spark_json_string('param.value.string_value') }},
                cast(param.value.int_value as string),
                {{ spark_number(json_number('coalesce(param.value.double_value, param.value.float_value)')) }}
            )
        )
    )
{%- endmacro %}

{% macro spark__ga4_sorted_params() -%}
    array_join(
        array_sort(
            transform(
                filter(
                    event_params,
                    param -> param.key not in ({{ ga4_late_keys() }})
                ),
                param -> concat(param.key, '=', coalesce(
                    param.value.string_value,
                    cast(param.value.int_value as string),
                    {{ spark_number('coalesce(param.value.double_value, param.value.float_value)') }}
                ))
            )
        ),
        chr(30)
    )
{%- endmacro %}
