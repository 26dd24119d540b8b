{#- The few things that warehouses say in different words. -#}

{% macro sql_type(kind) %}{{ return(adapter.dispatch('sql_type', 'cio_warehouse')(kind)) }}{% endmacro %}
{% macro default__sql_type(kind) -%}
  {{ return({'INTEGER': 'bigint', 'STRING': 'varchar', 'BOOLEAN': 'boolean', 'NUMBER': 'double',
             'TIMESTAMP': 'timestamptz', 'LIST OF STRING': 'varchar[]'}[kind]) }}
{%- endmacro %}
{% macro snowflake__sql_type(kind) -%}
  {{ return({'INTEGER': 'bigint', 'STRING': 'varchar', 'BOOLEAN': 'boolean', 'NUMBER': 'double',
             'TIMESTAMP': 'timestamp_tz', 'LIST OF STRING': 'array'}[kind]) }}
{%- endmacro %}
{% macro bigquery__sql_type(kind) -%}
  {{ return({'INTEGER': 'int64', 'STRING': 'string', 'BOOLEAN': 'bool', 'NUMBER': 'float64',
             'TIMESTAMP': 'timestamp', 'LIST OF STRING': 'array<string>'}[kind]) }}
{%- endmacro %}
{% macro redshift__sql_type(kind) -%}
  {{ return({'INTEGER': 'bigint', 'STRING': 'varchar(65535)', 'BOOLEAN': 'boolean',
             'NUMBER': 'double precision', 'TIMESTAMP': 'timestamptz', 'LIST OF STRING': 'super'}[kind]) }}
{%- endmacro %}


{#- A column whose name is a word of SQL somewhere. -#}
{% macro named(column) -%}
  {{ return(adapter.dispatch('quoted', 'cio_warehouse')(column) if column in ('from', 'to', 'timestamp') else column) }}
{%- endmacro %}
{% macro default__quoted(column) %}{{ return('"' ~ column ~ '"') }}{% endmacro %}
{% macro snowflake__quoted(column) %}{{ return('"' ~ column | upper ~ '"') }}{% endmacro %}
{% macro bigquery__quoted(column) %}{{ return('`' ~ column ~ '`') }}{% endmacro %}


{#- The moment that "now" means, in UTC. -#}
{% macro as_of() %}{{ return(adapter.dispatch('as_of', 'cio_warehouse')(var('as_of'))) }}{% endmacro %}
{% macro default__as_of(text) -%}
  {{ return("cast('" ~ text ~ "+00:00' as timestamptz)" if text else 'current_timestamp') }}
{%- endmacro %}
{% macro snowflake__as_of(text) -%}
  {{ return("to_timestamp_tz('" ~ text ~ " +00:00')" if text else 'current_timestamp()') }}
{%- endmacro %}
{% macro bigquery__as_of(text) -%}
  {{ return("timestamp('" ~ text ~ "+00:00')" if text else 'current_timestamp()') }}
{%- endmacro %}
{% macro redshift__as_of(text) -%}
  {{ return("cast('" ~ text ~ "+00:00' as timestamptz)" if text else "(getdate() at time zone 'UTC')") }}
{%- endmacro %}


{#- A time some days before another. -#}
{% macro days_before(time, days) %}{{ return(adapter.dispatch('days_before', 'cio_warehouse')(time, days)) }}{% endmacro %}
{% macro default__days_before(time, days) -%}
  {{ return('(' ~ time ~ ' - interval ' ~ days ~ ' day)') }}
{%- endmacro %}
{% macro snowflake__days_before(time, days) -%}
  {{ return('dateadd(day, -' ~ days ~ ', ' ~ time ~ ')') }}
{%- endmacro %}
{% macro redshift__days_before(time, days) -%}
  {{ return('dateadd(day, -' ~ days ~ ', ' ~ time ~ ')') }}
{%- endmacro %}
{% macro bigquery__days_before(time, days) -%}
  {{ return('timestamp_sub(' ~ time ~ ', interval ' ~ days ~ ' day)') }}
{%- endmacro %}


{#- Seconds from one time to another. -#}
{% macro seconds_between(first, last) %}{{ return(adapter.dispatch('seconds_between', 'cio_warehouse')(first, last)) }}{% endmacro %}
{% macro default__seconds_between(first, last) -%}
  {{ return("date_diff('second', " ~ first ~ ', ' ~ last ~ ')') }}
{%- endmacro %}
{% macro snowflake__seconds_between(first, last) -%}
  {{ return('datediff(second, ' ~ first ~ ', ' ~ last ~ ')') }}
{%- endmacro %}
{% macro redshift__seconds_between(first, last) -%}
  {{ return('datediff(second, ' ~ first ~ ', ' ~ last ~ ')') }}
{%- endmacro %}
{% macro bigquery__seconds_between(first, last) -%}
  {{ return('timestamp_diff(' ~ last ~ ', ' ~ first ~ ', second)') }}
{%- endmacro %}


{#- A text as SQL has it. To all but DuckDB a backslash means something. -#}
{% macro literal(text) %}{{ return(adapter.dispatch('literal', 'cio_warehouse')(text)) }}{% endmacro %}
{% macro default__literal(text) %}{{ return("'" ~ text | replace("'", "''") ~ "'") }}{% endmacro %}
{% macro snowflake__literal(text) -%}
  {{ return("'" ~ text | replace("\\", "\\\\") | replace("'", "''") ~ "'") }}
{%- endmacro %}
{% macro redshift__literal(text) -%}
  {{ return("'" ~ text | replace("\\", "\\\\") | replace("'", "''") ~ "'") }}
{%- endmacro %}
{% macro bigquery__literal(text) -%}
  {{ return("'" ~ text | replace("\\", "\\\\") | replace("'", "\\'") | replace("\n", "\\n") ~ "'") }}
{%- endmacro %}


{#- A name in one form: lower case, words joined by "_", in letters of any script; a name without
    any word stays as it is. Snowflake's and Redshift's patterns know no such letters: there, signs
    of ASCII alone part words. -#}
{% macro one_form(text) -%}
  {{ return("coalesce(nullif(" ~ adapter.dispatch('one_form', 'cio_warehouse')(text) ~ ", ''), " ~ text ~ ")") }}
{%- endmacro %}
{% macro default__one_form(text) -%}
  {{ return("trim(regexp_replace(lower(" ~ text ~ "), '[^\\p{L}\\p{N}]+', '_', 'g'), '_')") }}
{%- endmacro %}
{% macro snowflake__one_form(text) -%}
  {{ return("trim(regexp_replace(lower(" ~ text ~ "), '[[:space:]!-/:-@[-`{-~]+', '_'), '_')") }}
{%- endmacro %}
{% macro redshift__one_form(text) -%}
  {{ return("btrim(regexp_replace(lower(" ~ text ~ "), '[[:space:]!-/:-@[-`{-~]+', '_'), '_')") }}
{%- endmacro %}
{% macro bigquery__one_form(text) -%}
  {{ return("trim(regexp_replace(lower(" ~ text ~ "), r'[^\\p{L}\\p{N}]+', '_'), '_')") }}
{%- endmacro %}


{#- A number at the top of a text of JSON; null where there is none. -#}
{% macro json_number(text, field) %}{{ return(adapter.dispatch('json_number', 'cio_warehouse')(text, field)) }}{% endmacro %}
{% macro default__json_number(text, field) -%}
  {{ return("try_cast(json_extract_string(" ~ text ~ ", '$." ~ field ~ "') as double)") }}
{%- endmacro %}
{% macro snowflake__json_number(text, field) -%}
  {{ return("try_to_double(json_extract_path_text(" ~ text ~ ", '" ~ field ~ "'))") }}
{%- endmacro %}
{% macro redshift__json_number(text, field) -%}
  {%- set found = "json_extract_path_text(" ~ text ~ ", '" ~ field ~ "', true)" -%}
  {{ return("case when " ~ found ~ " ~ '^-?[0-9]+([.][0-9]+)?$' then cast(" ~ found ~ " as double precision) end") }}
{%- endmacro %}
{% macro bigquery__json_number(text, field) -%}
  {{ return("safe_cast(json_value(" ~ text ~ ", '$." ~ field ~ "') as float64)") }}
{%- endmacro %}


{#- A number from 0 to 9999 that a text always gives, spread evenly. -#}
{% macro bucket(text) %}{{ return(adapter.dispatch('bucket', 'cio_warehouse')(text)) }}{% endmacro %}
{% macro default__bucket(text) -%}
  {{ return("cast('0x' || substr(md5(" ~ text ~ "), 1, 8) as bigint) % 10000") }}
{%- endmacro %}
{% macro snowflake__bucket(text) -%}
  {{ return("mod(to_number(substr(md5(" ~ text ~ "), 1, 8), 'XXXXXXXX'), 10000)") }}
{%- endmacro %}
{% macro redshift__bucket(text) -%}
  {{ return("mod(strtol(substring(md5(" ~ text ~ "), 1, 8), 16), 10000)") }}
{%- endmacro %}
{% macro bigquery__bucket(text) -%}
  {{ return("mod(cast(concat('0x', substr(to_hex(md5(" ~ text ~ ")), 1, 8)) as int64), 10000)") }}
{%- endmacro %}


{#- The day of a time, in UTC. -#}
{% macro utc_day(time) %}{{ return(adapter.dispatch('utc_day', 'cio_warehouse')(time)) }}{% endmacro %}
{% macro default__utc_day(time) -%}
  {{ return("cast(timezone('UTC', " ~ time ~ ') as date)') }}
{%- endmacro %}
{% macro snowflake__utc_day(time) -%}
  {{ return("cast(convert_timezone('UTC', " ~ time ~ ') as date)') }}
{%- endmacro %}
{% macro bigquery__utc_day(time) %}{{ return('date(' ~ time ~ ')') }}{% endmacro %}
{% macro redshift__utc_day(time) -%}
  {{ return('cast((' ~ time ~ " at time zone 'UTC') as date)") }}
{%- endmacro %}


{#- A time without a zone, as one in UTC. -#}
{% macro as_utc(time) %}{{ return(adapter.dispatch('as_utc', 'cio_warehouse')(time)) }}{% endmacro %}
{% macro default__as_utc(time) %}{{ return("timezone('UTC', " ~ time ~ ')') }}{% endmacro %}
{% macro snowflake__as_utc(time) -%}
  {{ return('to_timestamp_tz(concat(cast(' ~ time ~ " as varchar), ' +00:00'))") }}
{%- endmacro %}
{% macro bigquery__as_utc(time) %}{{ return('timestamp(' ~ time ~ ')') }}{% endmacro %}
{% macro redshift__as_utc(time) %}{{ return('(' ~ time ~ " at time zone 'UTC')") }}{% endmacro %}
