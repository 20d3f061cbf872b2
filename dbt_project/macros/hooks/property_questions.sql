{% macro property_questions(rules, required_properties) -%}
    {#- What events are asked for besides their names, looked up when the model is compiled, so that
        an event is asked only what is asked of its name: a list of {event_name, property, operator,
        threshold, rule_bit}. Without operator and rule_bit the property must only be there. -#}
    {%- if not execute or load_relation(rules) is none -%}
        {{ return([]) }}
    {%- endif -%}
    {%- set found = run_query(
        "select event_name, property, operator, threshold, rule_bit from " ~ rules
        ~ " where operator is not null and property is not null and rule_bit is not null"
        ~ " union all select event_name, property, null, null, null from " ~ required_properties
        ~ " order by 1, 2, 3, 4, 5"
    ) -%}
    {%- set questions = [] -%}
    {%- for row in found.rows -%}
        {%- do questions.append({
            'event_name': row[0],
            'property': row[1],
            'operator': row[2],
            'threshold': row[3],
            'rule_bit': row[4] | int if row[4] else none,
        }) -%}
    {%- endfor -%}
    {{ return(questions) }}
{%- endmacro %}
