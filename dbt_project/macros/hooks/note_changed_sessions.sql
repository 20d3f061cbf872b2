{% macro note_changed_sessions(sessions) -%}
    {#- Statement that notes sessions, an SQL query of session_key, public_session_key and
        session_date, as changed by this model. -#}
    insert into {{ source('raw', 'session_changes') }}
    select
        '{{ this.identifier }}' as model,
        {{ next_change_number() }} as change_number,
        noted.session_key,
        noted.public_session_key,
        noted.session_date
    from ({{ sessions }}) as noted
{%- endmacro %}

{% macro next_change_number() -%}
    {#- Greater than that of every change before, also of those forgotten. -#}
    (
        select 1 + coalesce(max(numbers.change_number), 0)
        from (
            select change_number from {{ source('raw', 'session_changes') }}
            union all
            select change_number from {{ source('raw', 'changes_seen') }}
            union all
            select last_tested as change_number from {{ source('raw', 'tested') }}
            where source_system is null
        ) as numbers
    )
{%- endmacro %}

{% macro note_all_sessions() -%}
    {#- Post-hook of the sessions: when they were built from nothing, all of them changed. -#}
    {%- if not is_incremental() -%}
        {{ note_changed_sessions(
            'select null as session_key, null as public_session_key, null as session_date'
        ) }}
    {%- endif -%}
{%- endmacro %}

{% macro note_sessions_of_version() -%}
    {#- Post-hook of the table with which a value version comes into force, in its transaction: the
        sessions from its first day on are worth something else now. Sooner by the longest visit and
        a day, since acts of a visit that began before have dates of their own; and its days, since
        spend and refunds may stand on days without sessions. -#}
    {%- if var('version_date') -%}
        {{ note_changed_sessions(
            "select session_key, public_session_key, session_date from " ~ ref('int_all_sessions')
            ~ " where session_date >= " ~ dbt.dateadd(
                'hour', -24 - var('session_maximum_hours') | int, version_date()
            )
            ~ " union select 0, 0, spend_date from " ~ ref('int_daily_spend')
            ~ " where spend_date >= " ~ version_date()
            ~ " union select 0, 0, refund_date from " ~ ref('int_daily_refunds')
            ~ " where refund_date >= " ~ version_date()
        ) }}
    {%- endif -%}
{%- endmacro %}

{% macro forget_changes() -%}
    {#- At the end of a run: drops the changes that all models that follow them have seen, and those
        that are noted for tests alone. What tests have not seen of them is then not known any more. -#}
    {%- if execute -%}
        {%- set followed, noting_for_tests = [], [] -%}
        {%- for node in graph.nodes.values()
            if node.config.get('incremental_strategy') in ('replace_changed', 'replace_users')
            or node.config.get('meta', {}).get('follows_changes') -%}
            {%- for noting in models_that_note(node.unique_id) -%}
                {%- do followed.append("('" ~ noting ~ "', '" ~ node.name ~ "')") -%}
            {%- endfor -%}
            {%- if node.config.incremental_strategy == 'replace_users' -%}
                {%- do noting_for_tests.append(node.name) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- set seen_by_all -%}
            (
                select
                    followed.noting as model,
                    case when count(*) = count(seen.change_number) then min(seen.change_number) end
                        as change_number
                from (values {{ followed | join(', ') }}) as followed (noting, following)
                left join {{ source('raw', 'changes_seen') }} as seen
                    on followed.following = seen.model
                group by followed.noting
                union all
                select distinct model, {{ next_change_number() }} as change_number
                from {{ source('raw', 'session_changes') }}
                where model in ('{{ noting_for_tests | join("', '") }}')
            )
        {%- endset -%}
        {%- set forgotten -%}
            (
                select
                    noted.model,
                    max(noted.change_number) as change_number
                from {{ source('raw', 'session_changes') }} as noted
                inner join {{ seen_by_all }} as seen_by_all
                    on noted.model = seen_by_all.model
                    and noted.change_number <= seen_by_all.change_number
                group by noted.model
            ) as forgotten
        {%- endset -%}
        {%- set is_forgotten -%}
            kept.source_system is null
            and forgotten.change_number > kept.last_tested
            and (
                forgotten.model = kept.model
                or (forgotten.model, kept.model) in ({{ followed | join(', ') }})
            )
        {%- endset -%}
        {{ one_after_another([
            deletion(source('raw', 'tested'), is_forgotten, using=forgotten),
            deletion(
                source('raw', 'session_changes'),
                "kept.model = seen_by_all.model"
                ~ " and kept.change_number <= seen_by_all.change_number",
                using=seen_by_all ~ " as seen_by_all"
            )
        ]) }}
    {%- endif -%}
{%- endmacro %}
