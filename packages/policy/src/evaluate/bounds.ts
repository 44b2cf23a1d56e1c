/** Bytes (UTF-8) of one text attribute of a request. */
export const MAX_ATTRIBUTE_BYTES = 2_048;
/** Members of one set attribute. */
export const MAX_SET_MEMBERS = 512;
/** Bytes of all text attributes of a request together. Evaluation cost grows with them. */
export const MAX_REQUEST_BYTES = 16_384;
