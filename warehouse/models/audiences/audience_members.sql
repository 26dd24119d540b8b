{%- for one in var('audiences') %}
select
    '{{ one.name }}' as audience,
    members.workspace_id,
    members.internal_customer_id,
    members.since,
    members.score,
    members.reason,
    {{ "sides.side" if one.use == 'reach' else "'left out'" }} as side
from {{ ref('audience_' ~ one.name) }} as members
inner join {{ ref('holdout') }} as sides
    on sides.workspace_id = members.workspace_id
    and sides.internal_customer_id = members.internal_customer_id
{{ 'union all' if not loop.last }}
{%- endfor %}
