{% macro consent_given(text) -%}
    {#- granted or denied, in whichever words a source says so; null where it says that nothing was
        asked. A word that is none of these stays, in lower case, and is no denial. The usual words of
        consent are asked first, as they are: most events have one of them. -#}
    {%- set word = 'lower(trim(' ~ text ~ '))' -%}
    case
        when {{ text }} in ('granted', 'Yes', 'true') then 'granted'
        when
            {{ is_one_of(word, "
                'denied', 'deny', 'no', 'n', 'false', 'f', '0', '0.0', 'off', 'declined', 'rejected',
                'refused', 'revoked', 'withdrawn', 'disagreed', 'disallowed', 'opt-out', 'opt_out',
                'opt out', 'optout', 'opted-out', 'opted_out', 'opted out'
            ") }}
            then 'denied'
        when
            {{ is_one_of(word, "
                'granted', 'grant', 'yes', 'y', 'true', 't', '1', '1.0', 'on', 'accepted', 'allowed',
                'agreed', 'opt-in', 'opt_in', 'opt in', 'optin', 'opted-in', 'opted_in', 'opted in'
            ") }}
            then 'granted'
        when
            not {{ is_one_of(word, "
                '', '(not set)', 'unset', 'null', 'nan', 'n/a', 'undefined', 'unknown', 'pending'
            ") }}
            then {{ word }}
    end
{%- endmacro %}
