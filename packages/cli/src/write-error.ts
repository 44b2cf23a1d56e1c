import { CmcpError } from "@cmcp/boundary";

/** What a person can do something about, by the operating system's code. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "the folder it is to be in does not exist",
  ENOTDIR: "what it is to be in is no folder",
  EACCES: "this user may not write there",
  EPERM: "this user may not write there",
  EROFS: "the file system is read-only",
  ENOSPC: "no space is left",
  EDQUOT: "no space is left to this user",
  EFBIG: "it is larger than this user may write",
  EEXIST: "there is a file already, and it is never overwritten",
  EISDIR: "it is a folder",
  ELOOP: "it is a link that leads to itself",
};

/** A file that cannot be written, and why. */
export function writeError(path: string, thrown: unknown): CmcpError {
  if (thrown instanceof CmcpError) return thrown;
  const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
  const reason = Object.hasOwn(REASONS, code) ? REASONS[code] : code;
  return new CmcpError("USAGE", `cannot write ${path}${reason === "" ? "" : `: ${reason}`}`, { cause: thrown });
}
