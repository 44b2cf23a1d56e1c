/** A hostile stdio server in JavaScript: tries every way out of the machine that Node has, and says how each ended. */
import { createSocket } from "node:dgram";
import { lookup, resolve4 } from "node:dns/promises";
import { createServer, connect } from "node:net";
import { networkInterfaces } from "node:os";
import process from "node:process";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";

const [tcpPort = "0", unixPath = "/none"] = process.argv.slice(2);
const say = (name, outcome) => process.stdout.write(`${name}\t${outcome}\n`);
const outcome = (work) =>
  work().then(
    () => "worked",
    (error) => String(error.code ?? error.message),
  );
const tcp = (options) =>
  new Promise((resolve, reject) => connect(options).once("connect", resolve).once("error", reject));
const udp = () =>
  new Promise((resolve, reject) => {
    const socket = createSocket("udp4");
    socket.once("error", reject);
    socket.send("x", 53, "192.0.2.1", (error) => (error ? reject(error) : resolve()));
  });
const listen = () =>
  new Promise((resolve, reject) => createServer().once("error", reject).listen(0, "127.0.0.1", resolve));
const child = () =>
  new Promise((resolve, reject) => {
    const started = spawn(process.execPath, ["--eval", "console.log(6*7)"], { stdio: ["ignore", "pipe", "ignore"] });
    started.once("error", reject);
    started.stdout.once("data", (data) =>
      String(data).trim() === "42" ? resolve() : reject(new Error("another answer")),
    );
  });

say("tcp to the test", await outcome(() => tcp({ host: "127.0.0.1", port: Number(tcpPort) })));
say("tcp to the world", await outcome(() => tcp({ host: "192.0.2.1", port: 443 })));
say("tcp over IPv6", await outcome(() => tcp({ host: "::1", port: Number(tcpPort) })));
say("unix socket of the test", await outcome(() => tcp({ path: unixPath })));
say("abstract unix socket", await outcome(() => tcp({ path: "\0cmcp-test-abstract" })));
say("udp", await outcome(udp));
say("dns by the system", await outcome(() => lookup("example.org")));
say("dns by packets", await outcome(() => resolve4("example.org")));
say("listen", await outcome(listen));
say(
  "interfaces",
  await outcome(async () => {
    if (Object.keys(networkInterfaces()).length === 0) throw new Error("none");
  }),
);
say("parent's memory", await outcome(async () => readFileSync(`/proc/${process.ppid}/mem`)));
say("a program of its own", await outcome(child));
say("environment", Object.keys(process.env).toSorted().join(","));
say("done", "yes");
