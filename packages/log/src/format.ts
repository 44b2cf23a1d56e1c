/** What needs no Node built-in: formats, and where paths lead. */
export { formatCheckpoint, parseCheckpoint, type Checkpoint } from "./checkpoint.ts";
export {
  cosignaturesBy,
  cosignedMessage,
  formatCosignature,
  MAX_COSIGNED_TIME,
  type Cosignature,
} from "./cosignature.ts";
export { decodeEntries, encodeEntries, MAX_ENTRIES_BYTES } from "./entries.ts";
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
  nodeInput,
  siblingSides,
  type SiblingSide,
} from "./path.ts";
export { isConsistent, Prover, rootFromPath, type ReadTile, type Sha256, type TreeHead } from "./proof.ts";
export {
  bodiesPath,
  entriesPath,
  hashInTile,
  MAX_TILE_LEVEL,
  parseTilePath,
  TILE_HEIGHT,
  TILE_WIDTH,
  tileAt,
  tilePath,
  tilesOf,
  type Tile,
} from "./tile.ts";
export {
  MAX_POLICY_ENTRIES,
  MAX_WITNESS_POLICY_LENGTH,
  parseWitnessPolicy,
  quorumsIntersect,
  quorumTime,
  type Quorum,
  type TrustedLog,
  type Witness,
  type WitnessPolicy,
} from "./witness-policy.ts";
