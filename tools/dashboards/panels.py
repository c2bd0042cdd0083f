"""How a dashboard of ours is put together: rows of panels over one data source that the reader chooses.

A panel is a value here; Grafana's own builders make JSON of it. Nothing in here knows a metric.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common, dashboard

_SOURCE: Final = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")
_HEIGHT: Final = 8
_STAT_HEIGHT: Final = 4
TAG: Final = "mixhaul"


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression and how its series are called."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. `unit` is Grafana's name of a unit; `limits` are (from, colour) steps above green; `width` of 24."""

    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]
    width: int = 12
    one_number: bool = False
    limits: tuple[tuple[float, str], ...] = ()
    # A value from 0 up to where the limits start is bad: the colours the other way round.
    low_is_bad: bool = False
    stacked: bool = False


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard. `variables` are (name, query of label values) beside the data source."""

    uid: str
    title: str
    description: str
    rows: tuple[tuple[str, tuple[Panel, ...]], ...]
    variables: tuple[tuple[str, str], ...] = field(
        default=(("namespace", "label_values(mixhaul_build_info, namespace)"),)
    )

    def panels(self) -> Sequence[Panel]:
        """All panels, in order."""
        return [panel for _, panels in self.rows for panel in panels]


def rendered(made: Dashboard) -> str:
    """The JSON that Grafana imports."""
    builder = (
        builders.Dashboard(made.title)
        .uid(made.uid)
        .description(made.description)
        .tags([TAG])
        .editable()
        .refresh("1m")
        .time("now-6h", "now")
        .timezone("browser")
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .link(
            builders.DashboardLink("Mixhaul")
            .type(dashboard.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .as_dropdown(True)
            .include_vars(True)
            .keep_time(True)
        )
        .with_variable(builders.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    )
    for name, query in made.variables:
        builder = builder.with_variable(
            builders.QueryVariable(name)
            .label(name.capitalize())
            .query(query)
            .datasource(_SOURCE)
            .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .multi(True)
            .include_all(True)
            # A series without the label matches too: not every Prometheus adds a namespace.
            .all_value(".*")
        )
    for title, panels in made.rows:
        builder = builder.with_row(builders.Row(title))
        for panel in panels:
            builder = builder.with_panel(_panel(panel))
    return JSONEncoder(sort_keys=True, indent=1).encode(builder.build()) + "\n"


def _panel(panel: Panel) -> Any:
    builder: Any = _number(panel) if panel.one_number else _lines(panel)
    builder = (
        builder.title(panel.title)
        .description(panel.description)
        .datasource(_SOURCE)
        .unit(panel.unit)
        .span(panel.width)
        .height(_STAT_HEIGHT if panel.one_number else _HEIGHT)
        .thresholds(_thresholds(panel))
    )
    for number, query in enumerate(panel.queries):
        target = prometheus.Dataquery().expr(query.expr).ref_id(chr(ord("A") + number))
        if query.legend:
            target = target.legend_format(query.legend)
        builder = builder.with_target(target.instant() if panel.one_number else target.range())
    return builder


def _number(panel: Panel) -> Any:
    return (
        stat.Panel()
        .color_mode(common.BigValueColorMode.BACKGROUND if panel.limits else common.BigValueColorMode.VALUE)
        .graph_mode(common.BigValueGraphMode.NONE)
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
    )


def _lines(panel: Panel) -> Any:
    builder = (
        timeseries.Panel()
        .min(0)
        .line_width(1)
        .fill_opacity(30 if panel.stacked else 5)
        .show_points(common.VisibilityMode.NEVER)
        .legend(
            common_builders.VizLegendOptions()
            .show_legend(True)
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
        )
        .tooltip(
            common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING)
        )
    )
    if panel.stacked:
        builder = builder.stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL))
    if panel.limits:
        builder = builder.thresholds_style(
            common_builders.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
        )
    return builder


def _thresholds(panel: Panel) -> builders.ThresholdsConfig:
    base = "red" if panel.low_is_bad else "green"
    steps = [dashboard.Threshold(value=None, color=base)]
    steps += [dashboard.Threshold(value=value, color=colour) for value, colour in panel.limits]
    return builders.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(steps)
