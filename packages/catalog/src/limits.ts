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
/** Named servers, resources with templates, and prompts of one catalog. */
export const MAX_SERVERS = 256;
export const MAX_RESOURCES = 10_000;
export const MAX_PROMPTS = 10_000;
/** Templates of one catalog: each is held against every other. */
export const MAX_TEMPLATES = 256;
/** Characters of a URI template, and of a URI that is asked for. */
export const MAX_TEMPLATE = 512;
export const MAX_URI = 2_048;
/** Variables of one template. */
export const MAX_VARIABLES = 16;
/** Arguments of one prompt. */
export const MAX_PROMPT_ARGUMENTS = 64;
/** Arguments of one tool that its entry calls paths or URLs. */
export const MAX_ARGUMENT_KINDS = 64;
/** Tools, resources or prompts of one server: as many as are read of its live list. */
export const MAX_OF_SERVER = 4_096;
/** Secrets of one stdio server; as many as a start of the spawner's holds. */
export const MAX_SECRETS = 16;
/** Pinned authorities of one server, and names of roots that vouch for it. */
export const MAX_ISSUER_PINS = 16;
export const MAX_ROOT_NAMES = 16;
/** Hosts that one stdio server may reach. */
export const MAX_EGRESS = 16;
