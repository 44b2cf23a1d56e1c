import {
  SessionTable,
  Vocabulary,
  compartmentsOfCall,
  recordCall,
  type Label,
  type Session,
  type SessionTableOptions,
} from "../index.ts";

export const vocabulary = new Vocabulary();
/** An empty table, whose limits no test meets unless it says so. */
export const table = (limits: Partial<SessionTableOptions> = {}): SessionTable =>
  new SessionTable({ vocabulary, maxSessions: 100, maxPerPrincipal: 10, idleMs: 1000, floorMs: 10_000, ...limits });
/** A trusted label of one compartment. */
export const label = (name: string): Label => ({
  compartments: vocabulary.compartmentsOf([name]),
  integrity: "trusted",
});
/** What a principal has seen, as a level. */
export const sensitivityOf = (sessions: SessionTable, principal: string): string =>
  vocabulary.linear(sessions.labelOf(principal).compartments);
/** A session sees the data of a tool of this domain. */
export const see = (session: Session, domain: string): void => {
  const tool = { toolName: "t", complianceDomain: domain, sensitivityLevel: "public" };
  const data = { compartments: compartmentsOfCall(vocabulary, tool, null), integrity: "trusted" } as const;
  recordCall(session, { callId: "c", tool, decision: "allow", sent: true, data });
};
