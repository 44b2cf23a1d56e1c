export { FlowKey } from "./flow-key.ts";
export {
  DEFAULT_SLOTS,
  FlowTable,
  MAX_FLOWS,
  MAX_SOURCES,
  tableBytes,
  type Flow,
  type FlowKind,
  type FlowSource,
  type Flows,
} from "./flow-table.ts";
export { GRAM, WINDOW } from "./fingerprints.ts";
