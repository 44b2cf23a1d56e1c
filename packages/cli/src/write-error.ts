import { CmcpError } from "@cmcp/boundary";

/** Reasons by the operating system's error code. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "its folder does not exist",
  ENOTDIR: "a part of its path is not a folder",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "the file system is read-only",
  ENOSPC: "no space is left",
  EDQUOT: "the disk quota of this user is used up",
  EFBIG: "it is larger than the file size limit of this user",
  EEXIST: "the file exists, and it is never overwritten",
  EISDIR: "it is a folder",
  ELOOP: "it is a symbolic link that leads to itself",
};

/** The error for a file that cannot be written, with the reason. */
export function writeError(path: string, thrown: unknown): CmcpError {
  if (thrown instanceof CmcpError) return thrown;
  const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
  const reason = Object.hasOwn(REASONS, code) ? REASONS[code] : code;
  return new CmcpError("USAGE", `cannot write ${path}${reason === "" ? "" : `: ${reason}`}`, { cause: thrown });
}
