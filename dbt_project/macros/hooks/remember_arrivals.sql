{% macro remember_arrivals() %}
    {#- Post-hook, in the model's own transaction: notes for each source the last load that the
        model has seen, so that the next night reads what came after it, also after a kill.
        The receipts see every raw row; all other models follow them. -#}
    {%- set watermarks = source('raw', 'watermarks') -%}
    {%- set seen = run_query(
        "select source_system, load_id from " ~ watermarks
        ~ " where model = '" ~ this.identifier ~ "'").rows if is_incremental() else [] -%}
    {%- set noted -%}
        insert into {{ watermarks }}
        {% if this.identifier == 'int_event_receipts' -%}
            select
                '{{ this.identifier }}' as model,
                source_system,
                max(load_id) as load_id
            from (
                {#- source by source, since all rows would be read for an `or` between them -#}
                {%- for mark in seen %}
                select '{{ mark[0] }}' as source_system, cast({{ mark[1] }} as bigint) as load_id
                union all
                select source_system, load_id from {{ this }}
                where source_system = '{{ mark[0] }}' and load_id > {{ mark[1] }}
                union all
                {%- endfor %}
                select source_system, load_id from {{ this }}
                where source_system not in ('' {%- for mark in seen %}, '{{ mark[0] }}'{% endfor %})
            ) as loads
            group by source_system
        {%- else -%}
            select
                '{{ this.identifier }}' as model,
                source_system,
                load_id
            from {{ watermarks }}
            where model = 'int_event_receipts'
        {%- endif %}
    {%- endset -%}
    {{ one_after_another([
        forget_tested(), deletion(watermarks, "model = '" ~ this.identifier ~ "'"), noted
    ]) }}
{% endmacro %}
