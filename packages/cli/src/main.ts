/** Entry of the packed command. It imports nothing that an old Node lacks, so that it can say which Node is needed. */
import process from "node:process";

/** First Node version, major and minor, with everything the bundles use. */
const OLDEST_NODE = [22, 19] as const;

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) {
  await import("./run-command.ts");
} else {
  process.stderr.write(
    `cmcp: needs Node ${OLDEST_NODE.join(".")} or newer, and this is ${process.versions.node}; install with ` +
      "optional dependencies, which bring one\n",
  );
  process.exitCode = 1;
}
