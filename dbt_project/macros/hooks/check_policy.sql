{% macro check_policy() %}
    {#- Stops the run when a policy var is outside its declared range; names it and the reason. -#}
    {%- for name, rule in var('policy').items() -%}
        {%- set value = var(name) -%}
        {%- set said = name ~ ' is ' ~ value ~ '; allowed is ' -%}
        {%- if rule.choices is defined
            and (value not in rule.choices or (value is boolean) != (rule.choices[0] is boolean)) -%}
            {{ exceptions.raise_compiler_error(
                said ~ rule.choices | join(', ') ~ '. ' ~ rule.reason) }}
        {%- elif rule['items'] is sequence -%}
            {%- if value is string or value is mapping or value is not sequence or not value -%}
                {{ exceptions.raise_compiler_error(
                    said ~ 'a list of ' ~ rule['items'] | join(', ') ~ '. ' ~ rule.reason) }}
            {%- endif -%}
            {%- for item in value if item not in rule['items'] -%}
                {{ exceptions.raise_compiler_error(
                    said ~ rule['items'] | join(', ') ~ '. ' ~ rule.reason) }}
            {%- endfor -%}
        {%- elif rule.minimum is defined -%}
            {%- if value is not number or value is boolean
                or value < rule.minimum or value > rule.maximum -%}
                {{ exceptions.raise_compiler_error(
                    said ~ rule.minimum ~ ' to ' ~ rule.maximum ~ '. ' ~ rule.reason) }}
            {%- elif rule.minimum is integer and rule.maximum is integer and rule.maximum > 1
                and not rule.fractions and value is not integer -%}
                {{ exceptions.raise_compiler_error(
                    said ~ rule.minimum ~ ' to ' ~ rule.maximum ~ ', as a whole number. '
                    ~ rule.reason) }}
            {%- endif -%}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}
