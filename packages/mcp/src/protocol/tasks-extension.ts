/** The Tasks extension of MCP 2026-07-28, by its identifier. */
export const TASKS_EXTENSION = "io.modelcontextprotocol/tasks";
