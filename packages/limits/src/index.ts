export { BUCKETS, COUNT_BOUND, RollingCount } from "./rolling-count.ts";
export { MAX_COUNTED_PRINCIPALS, PrincipalTable } from "./principal-table.ts";
export { KillSwitch, type Hold, type KillSwitchSettings, type RestoredBlocks, type Trigger } from "./kill-switch.ts";
export { SinkCeilings } from "./sink-ceilings.ts";
export { WindowLimits, type LimitedCall, type OverLimit, type WindowLimit } from "./window-limits.ts";
export { requireKnownNames, type KnownNames, type NamingSettings } from "./names.ts";
export { DistinctValues, ValueRoom } from "./distinct-values.ts";
export {
  History,
  NO_HISTORY,
  type HistoryCall,
  type HistoryFacts,
  type HistoryOptions,
  type HistoryRule,
} from "./history.ts";
