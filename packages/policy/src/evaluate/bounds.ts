/** Bytes (UTF-8) of one text attribute of a request. */
export const MAX_ATTRIBUTE_BYTES = 2_048;
/** Members of one set attribute. */
export const MAX_SET_MEMBERS = 512;
/** Members of all sets of a request together, those inside records included. */
export const MAX_REQUEST_MEMBERS = 4_096;
/** Bytes of all text attributes of a request together. Evaluation cost grows with them. */
export const MAX_REQUEST_BYTES = 16_384;
/** Slices of a bundle that the engine holds at one time. */
export const MAX_PREPARED_SLICES = 256;
/** Policies of those slices together; a rule that belongs to every call is in each of them. */
export const MAX_PREPARED_POLICIES = 20_000;
/** Answers of the engine that are remembered, and characters of the requests they answer together. */
export const MAX_ANSWERS = 4_096;
export const MAX_ANSWERS_TEXT = 4_194_304;
