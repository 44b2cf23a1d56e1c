/** `modern`: an envelope in every request, no session. `legacy`: `initialize`, sessions, and the single POST without either. */
export type Era = "legacy" | "modern";

/** What an agent may say in its era; a session of MCP 2025-11-25 has tasks beside what the legacy era has. */
export type Dialect = "modern" | "legacy" | "legacy-tasks";
