export { MAX_CROSS_BOUNDARY_EVENTS, type CallGraph, type CrossBoundaryEvent } from "./call-graph.ts";
export {
  compartmentsOfCall,
  recordCall,
  summarize,
  type CallRecord,
  type CallSummary,
  type InvokedTool,
  type SensitivityChange,
} from "./record.ts";
export {
  joinCompartments,
  joinLabels,
  LOWEST,
  type Compartments,
  type Integrity,
  type Label,
} from "./label.ts";
export type { CallDecision, Channel, IntegrityScope, Session, SessionState } from "./session.ts";
export { HANDLE_BYTES, MAX_LABEL_LENGTH, MAX_PRINCIPALS, SessionTable, type SessionTableOptions } from "./table.ts";
export {
  DOMAIN_FLOORS,
  LOWEST_LABEL,
  MAX_EXTRA_DOMAINS,
  MAX_EXTRA_LABELS,
  MAX_RANK,
  SENSITIVITY_RANKS,
  Vocabulary,
  type VocabularyExtras,
} from "./vocabulary.ts";
