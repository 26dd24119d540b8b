with dated as (
    select *, {{ utc_day('created_at') }} as created_on
    from {{ ref('delivery_outcomes') }}
)

select
        workspace_id,
        created_on,
        delivery_type,
        kind,
        {{ funnel_counts() }}
from dated
group by workspace_id, created_on, delivery_type, kind
