{% macro is_nobodys_key(visitor_key) -%}
    {#- True when the key of a visitor is that of one of `nobodys_ids`, in lower case, in capitals or
        with a capital first letter, or of a blank. Every event is asked, and to compare numbers
        costs next to nothing beside looking into the text. -#}
    {%- set keys = [internal_key(["' '"])] -%}
    {%- for quoted in nobodys_ids().split(',') -%}
        {%- set word = quoted | trim | replace("'", '') -%}
        {%- for spelling in [word, word | upper, word | capitalize] | unique(case_sensitive=true) -%}
            {%- do keys.append(internal_key(["'" ~ spelling ~ "'"])) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ visitor_key }} in ({{ keys | join(', ') }})
{%- endmacro %}
