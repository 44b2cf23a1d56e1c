/** What needs no Node built-in: formats, and where paths lead. */
export { formatCheckpoint, parseCheckpoint, type Checkpoint } from "./checkpoint.ts";
export {
  formatVerifierKey,
  instanceKeyName,
  isKeyName,
  keyIdInput,
  keyIdOf,
  MAX_NAME_BYTES,
  parseVerifierKey,
  SIGNATURE_TYPE,
  type SignatureType,
  type VerifierKey,
} from "./key.ts";
export {
  formatSignature,
  MAX_NOTE_BYTES,
  MAX_NOTE_SIGNATURES,
  parseNote,
  parseSignatures,
  signaturesBy,
  signNote,
  type Note,
  type NoteSignature,
} from "./note.ts";
export {
  HASH_BYTES,
  isLogSize,
  leafInput,
  MAX_LOG_SIZE,
  MAX_PATH_HASHES,
  nodeInput,
  siblingSides,
  type SiblingSide,
} from "./path.ts";
