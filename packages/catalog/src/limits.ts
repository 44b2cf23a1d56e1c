/** Entries of one catalog. */
export const MAX_ENTRIES = 10_000;
/** Characters of a tool name. */
export const MAX_TOOL_NAME = 128;
/** Characters of a tool description. */
export const MAX_DESCRIPTION = 16_384;
/** Characters of a server URL, a display name and any other single text of an entry. */
export const MAX_TEXT = 2_048;
/** Bytes of one approved definition in canonical form. */
export const MAX_DEFINITION_BYTES = 256 * 1024;
/** Nesting of a JSON Schema in a definition. */
export const MAX_SCHEMA_DEPTH = 32;
