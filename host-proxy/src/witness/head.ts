import { parseCheckpoint, parseNote, Prover, sha256, type ReadTile } from "@cmcp/log";
import { CmcpError } from "@cmcp/boundary";
import type { LogKey } from "./log-key.ts";

/** A head that the enclave signed, with the log's signature beside. */
export interface Head {
  /** Text of the note: the checkpoint. */
  readonly text: string;
  /** Number of leaves. */
  readonly size: number;
  /** The note with the enclave's signature and the log's. */
  readonly note: string;
  /** The log's signature line. */
  readonly logLine: string;
  /** Proofs at this size. */
  readonly prover: Prover;
}

/**
 * The head of a note.
 *
 * @param note of the enclave
 * @param read the log's hash tiles, as they are stored
 * @throws CmcpError `NOTE_MALFORMED` for a note that is not a checkpoint of the key's log
 */
export function headOf(note: string, key: LogKey, read: ReadTile): Head {
  const { text } = parseNote(note);
  const { origin, size } = parseCheckpoint(text);
  if (origin !== key.verifierKey.name) throw new CmcpError("NOTE_MALFORMED", "the note is a checkpoint of another log");
  const logLine = key.signatureLine(text);
  return { text, size, note: note + logLine, logLine, prover: new Prover(size, read, sha256) };
}
