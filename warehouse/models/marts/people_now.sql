{%- set shown = shown_columns(var('shown_attributes')) -%}
select
    people.workspace_id,
    people.internal_customer_id,
    nullif(people.customer_id, '') as customer_id,
    contact.email,
    contact.phone,
    people.created_at,
    people.updated_at
    {%- for name in shown %},
    shown_{{ loop.index }}.attribute_value as {{ shown[name] }}
    {%- endfor %}
from {{ ref('stg_people') }} as people
left join {{ ref('contact_points') }} as contact
    on contact.workspace_id = people.workspace_id
    and contact.internal_customer_id = people.internal_customer_id
{%- for name in shown %}
left join {{ attribute(name) }} as shown_{{ loop.index }}
    on shown_{{ loop.index }}.workspace_id = people.workspace_id
    and shown_{{ loop.index }}.internal_customer_id = people.internal_customer_id
{%- endfor %}
where not coalesce(people.deleted, false) and not coalesce(people.suppressed, false)
