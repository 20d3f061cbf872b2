{% macro is_nobody(event) -%}
    {#- True when the visitor of the row `event` is one of `nobodys_ids`, in the spellings that are met
        (lower case, capitals, capital first letters, NaN), or blank. Every event is asked, and to
        compare keys costs next to nothing beside looking into the text, which is done only where it
        begins or ends with a blank, or begins with a tab. -#}
    {%- set visitor_id = event ~ '.visitor_id' -%}
    {%- set keys = [internal_key(["'NaN'"])] -%}
    {%- for quoted in nobodys_ids().split(',') -%}
        {%- set word = quoted | trim | replace("'", '') -%}
        {%- set spellings = [word, word | upper, word | capitalize, word | title] -%}
        {%- for spelling in spellings | unique(case_sensitive=true) -%}
            {%- do keys.append(internal_key(["'" ~ spelling ~ "'"])) -%}
        {%- endfor -%}
    {%- endfor -%}
    (
        {{ event }}.visitor_key in ({{ keys | join(', ') }})
        or case
            when {{ visitor_id }} < '!' or {{ visitor_id }} like '% '
                then {{ known_id(visitor_id) }} is null
            else false
        end
    )
{%- endmacro %}
