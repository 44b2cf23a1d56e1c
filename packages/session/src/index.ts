export { MAX_CROSS_BOUNDARY_EVENTS, type CallGraph, type CrossBoundaryEvent } from "./call-graph.ts";
export {
  recordCall,
  sensitivityOfCall,
  sensitivityOfTool,
  summarize,
  type CallRecord,
  type CallSummary,
  type InvokedTool,
  type SensitivityChange,
} from "./record.ts";
export type { CallDecision, Session, SessionState } from "./session.ts";
export { HANDLE_BYTES, MAX_LABEL_LENGTH, MAX_PRINCIPALS, SessionTable, type SessionTableOptions } from "./table.ts";
export {
  DOMAIN_FLOORS,
  LOWEST_LABEL,
  MAX_EXTRA_LABELS,
  MAX_RANK,
  SENSITIVITY_RANKS,
  Vocabulary,
} from "./vocabulary.ts";
