{#- How many deliveries came how far: each is counted once in each step that it reached. -#}
{% macro funnel_counts() -%}
count(*) as deliveries,
        count(sent_at) as sent,
        count(delivered_at) as delivered,
        count(human_opened_at) as human_opened,
        count(human_clicked_at) as human_clicked,
        count(converted_at) as converted,
        count(bounced_at) as bounced,
        count(failed_at) as failed,
        count(unsubscribed_at) as unsubscribed,
        count(complained_at) as complained
{%- endmacro %}
