/** Most bytes of a method. */
export const MAX_METHOD_BYTES = 32;
/** Most bytes of a scheme. */
export const MAX_SCHEME_BYTES = 16;
/** Most bytes of an authority. */
export const MAX_AUTHORITY_BYTES = 512;
/** Most bytes of a path with its query. */
export const MAX_PATH_BYTES = 8_192;
/** Most fields of one section. */
export const MAX_FIELDS = 128;
/** Most bytes of a field's name. */
export const MAX_NAME_BYTES = 256;
/** Most bytes of a field's value. */
export const MAX_VALUE_BYTES = 16_384;
/** Most bytes of all names and values of one section. */
export const MAX_SECTION_BYTES = 65_536;
/** Most informational responses before the final one. */
export const MAX_INFORMATIONAL = 8;

/** What a reader of messages takes beside the fixed bounds. */
export interface MessageLimits {
  /** Most bytes of content. */
  readonly contentBytes: number;
  /** Most bytes of padding. */
  readonly paddingBytes: number;
}
