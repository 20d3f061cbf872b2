{% macro changed_since_last_build(column, key='session_key', besides=[], dated_by=none) -%}
    {#- True for rows of sessions that changed since this model was built last: those that a model
        below it noted in raw.session_changes, by `key` (session_key, public_session_key or
        session_date). besides: models whose notes say nothing to this one. dated_by: a date or a
        UTC moment of the rows, at or after the start of their session, so that older ones need not
        be read. Always true when the model is built from nothing, and when all sessions changed. -#}
    {{ is_of_changes(unseen_changes(besides), column, key, dated_by) }}
{%- endmacro %}

{% macro on_dates_changed(moment, besides=[]) -%}
    {#- True at least for all acts, by their UTC moment, of sessions whose date is that of a session
        that changed since this model was built last; few others, however far apart these dates are,
        since each stands with those next to it as a span of its own. Always true when the model is
        built from nothing, and when all sessions changed. -#}
    {%- set changes = unseen_changes(besides) -%}
    {%- if changes is none -%}
        true
    {%- elif changes.earliest is none -%}
        false
    {%- else -%}
        {%- set day = modules.datetime.timedelta(days=1) -%}
        {#- to either side a day for the reporting time zone, and behind it what a session may last -#}
        {%- set days_after = 2 + longest_session_days() -%}
        {%- set spans = [] -%}
        {%- for row in run_query(
            "select distinct changed.session_date " ~ changes.noted ~ " order by 1"
        ).rows -%}
            {%- set starts_on = row[0] - day -%}
            {%- if spans and starts_on <= spans[-1][1] -%}
                {%- set starts_on = spans.pop()[0] -%}
            {%- endif -%}
            {%- do spans.append([starts_on, row[0] + days_after * day]) -%}
        {%- endfor -%}
        (
            {%- for span in spans %}
            ({{ moment }} >= date '{{ span[0] }}' and {{ moment }} < date '{{ span[1] }}')
            {%- if not loop.last %} or{% endif %}
            {%- endfor %}
        )
    {%- endif -%}
{%- endmacro %}

{% macro first_date_changed(days_before, besides=[]) -%}
    {#- So many days before the date of the earliest session that changed since this model was built
        last: see date_before. -#}
    {{ return(date_before(unseen_changes(besides), days_before)) }}
{%- endmacro %}

{% macro first_month_changed(days_before, days_before_month=0, besides=[]) -%}
    {#- First day of the month of first_date_changed; or of the month of so many days before that. -#}
    {%- set month = first_date_changed(days_before, besides)[:8] ~ '01' -%}
    {%- if not days_before_month or month == date_before(none, 0) -%}{{ return(month) }}{%- endif -%}
    {%- set earlier = modules.datetime.date.fromisoformat(month)
        - modules.datetime.timedelta(days=days_before_month) -%}
    {{ return(earlier.strftime('%Y-%m-01')) }}
{%- endmacro %}

{% macro unseen_changes(besides=[]) -%}
    {#- What was noted below this model since it was built last: noted, SQL of these rows from `from`
        on, as changed; earliest, the first date of their sessions. None when all sessions changed.
        Asked once for each model and kept with its node, since it stands in many places. -#}
    {%- if not is_incremental() -%}{{ return(none) }}{%- endif -%}
    {%- set kept_as = 'unseen_changes ' ~ besides | join(' ') -%}
    {%- if kept_as not in model -%}
        {%- do model.update({kept_as: ask_for_unseen_changes(besides)}) -%}
    {%- endif -%}
    {{ return(model[kept_as]) }}
{%- endmacro %}

{% macro ask_for_unseen_changes(besides) -%}
    {#- See unseen_changes. -#}
    {%- set seen = run_query(
        "select change_number from " ~ source('raw', 'changes_seen')
        ~ " where model = '" ~ this.identifier ~ "'").rows -%}
    {%- if not seen -%}{{ return(none) }}{%- endif -%}
    {{ return(changes_noted(
        source('raw', 'session_changes'),
        seen[0][0],
        models_that_note(model.unique_id) | reject('in', besides)
    )) }}
{%- endmacro %}

{% macro changes_noted(table, after, models) -%}
    {#- What these models noted in the table of changes behind a change number: see unseen_changes. -#}
    {%- set noted = "from " ~ table ~ " as changed where changed.change_number > " ~ after
        ~ " and changed.model in ('" ~ models | join("', '") ~ "')" -%}
    {%- set found = run_query(
        "select count(*) - count(changed.session_key), min(changed.session_date) " ~ noted).rows[0] -%}
    {%- if found[0] > 0 -%}{{ return(none) }}{%- endif -%}
    {{ return({'noted': noted, 'earliest': found[1]}) }}
{%- endmacro %}

{% macro is_of_changes(changes, column, key='session_key', dated_by=none) -%}
    {#- True for rows of the sessions in changes_noted, by the key; see changed_since_last_build. -#}
    {%- if changes is none -%}
        true
    {%- elif changes.earliest is none -%}
        false
    {%- else -%}
        (
            {{ column }} in (select changed.{{ key }} {{ changes.noted }})
            {%- if dated_by %}
            {#- a day sooner: the notes say the date in the reporting time zone -#}
            and {{ dated_by }} >= date '{{ date_before(changes, 1) }}'
            {%- endif %}
        )
    {%- endif -%}
{%- endmacro %}

{% macro date_before(changes, days) -%}
    {#- So many days before the first date in changes_noted; the first day of all when every session
        changed, and the last of all when none did. -#}
    {%- if changes is none -%}
        {{ return('0001-01-01') }}
    {%- elif changes.earliest is none -%}
        {{ return('9999-12-01') }}
    {%- endif -%}
    {{ return((changes.earliest - modules.datetime.timedelta(days=days)).strftime('%Y-%m-%d')) }}
{%- endmacro %}

{% macro models_that_note(unique_id) -%}
    {#- Names of the models that note changed sessions and that this node is built on. What lies below
        one of them is left out: what comes of it there, that model notes. -#}
    {%- set noting, seen, left = [], [], [unique_id] -%}
    {#- no model is looked at twice, so there are no more turns than nodes -#}
    {%- for _ in graph.nodes if left -%}
        {%- set node = graph.nodes[left.pop()] -%}
        {%- if node.config.meta.get('notes_changes') and node.unique_id != unique_id -%}
            {%- do noting.append(node.name) -%}
        {%- else -%}
            {%- for parent in node.depends_on.nodes if parent in graph.nodes and parent not in seen -%}
                {%- do seen.append(parent) -%}
                {%- do left.append(parent) -%}
            {%- endfor -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(noting | sort) }}
{%- endmacro %}

{% macro remember_changes() -%}
    {#- Post-hook of a model that follows changed sessions, in its own transaction. -#}
    {%- set seen = source('raw', 'changes_seen') -%}
    {%- set noted -%}
        insert into {{ seen }} (model, change_number)
        select
            '{{ this.identifier }}' as model,
            coalesce(max(change_number), 0) as change_number
        from {{ source('raw', 'session_changes') }}
    {%- endset -%}
    {{ one_after_another([
        forget_tested(), deletion(seen, "model = '" ~ this.identifier ~ "'"), noted
    ]) }}
{%- endmacro %}
