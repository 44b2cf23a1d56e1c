/** Most servers of one table; `MAX_ENTRIES` in native/spawn.h. */
export const MAX_SERVERS = 64;
/** Most bytes of a table. */
export const MAX_TABLE_BYTES = 256 * 1024;
/** Most arguments of one server, its program included. */
export const MAX_ARGUMENTS = 256;
/** Most environment variables of one server. */
export const MAX_VARIABLES = 64;
/** Most secrets of one start. */
export const MAX_SECRETS = 16;
/** Bytes of the name of a variable that holds a secret. */
export const MAX_SECRET_NAME = 128;
/** Bytes of a secret. */
export const MAX_SECRET_BYTES = 4_096;
/** Bytes of all secrets of one start on the wire: a count, and for each a length, a name, `=` and a value. */
export const MAX_SECRETS_BYTES = 2 + MAX_SECRETS * (2 + MAX_SECRET_NAME + 1 + MAX_SECRET_BYTES);
/** Variables that every server has, beside those of its settings. */
export const OWN_VARIABLES = 7;
/** Bytes of one path of a table. */
export const MAX_PATH_BYTES = 511;

/** Files, folders and links of one tree together. */
export const MAX_TREE_ITEMS = 65_536;
/** Bytes of all files of one tree. */
export const MAX_TREE_BYTES = 256 * 1024 * 1024;
/** Folders below the tree's root, one in the other. */
export const MAX_TREE_DEPTH = 32;
/** Bytes of an item's path below the root, and of a link's target. */
export const MAX_TREE_PATH_BYTES = 1024;
/** Bytes of one component of a path. */
export const MAX_NAME_BYTES = 255;
/** Bytes of one chunk of an archive on the way to the spawner; `MAX_CHUNK` in native/tree.c. */
export const MAX_CHUNK_BYTES = 65_536;
/** Bytes of one archive: content, and for every item a type, two lengths, a path, and a size or a target. */
export const MAX_ARCHIVE_BYTES = 13 + MAX_TREE_BYTES + MAX_TREE_ITEMS * (1 + 2 + 2 + 2 * MAX_TREE_PATH_BYTES);
/** Bytes of the name by which the way out of a running server is found; `NAME` in native/spawn.h. */
export const EGRESS_NAME_BYTES = 16;
/** Bytes of a digest. */
export const DIGEST_BYTES = 32;

/** Bytes of one JSON-RPC message on a server's standard output, its line end not counted. */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
/** Bytes handed to a server that it has not read yet; a message that would come on top of so many is refused. */
export const MAX_UNREAD_BYTES = 4 * 1024 * 1024;
/** Milliseconds a server may leave the rest of a message unread that nobody waits for any more. */
export const STUCK_MS = 2_000;
/** Milliseconds until the spawner has answered a connection. */
export const START_MS = 20_000;
/** Milliseconds until the spawner has received all trees. */
export const TABLE_MS = 240_000;
/** Milliseconds a server may take to end after its input did. The spawner ends it after two seconds. */
export const CLOSE_MS = 4_000;
