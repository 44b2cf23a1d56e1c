/** What the image is started on. */
export type Platform = "sev-snp" | "tdx" | "vtpm" | "none";

/** A `release` has no console at all; `debug` prints to the first serial port and is measured as something else. */
export type Edition = "release" | "debug";

interface Argument {
  readonly text: string;
  readonly reason: string;
  /** Where it applies; everywhere when absent. */
  readonly platforms?: readonly Platform[];
  readonly editions?: readonly Edition[];
}

/** Every word of the kernel command lines, in their order, and why it is there. */
export const ARGUMENTS: readonly Argument[] = [
  {
    text: "console=null",
    editions: ["release"],
    reason: "no console: nothing of the guest is printed for the host, and nothing is read from it",
  },
  { text: "8250.nr_uarts=0", editions: ["release"], reason: "serial ports are the host's; none is driven" },
  { text: "console=ttyS0", editions: ["debug"], reason: "what the kernel and PID 1 say can be read while developing" },
  { text: "panic=-1", reason: "a kernel panic resets the machine at once, which the VMM takes as its end" },
  { text: "oops=panic", reason: "a kernel fault ends the machine instead of one task" },
  { text: "random.trust_cpu=on", reason: "the random generator is seeded by the processor" },
  { text: "random.trust_bootloader=off", reason: "a seed that the host passes counts for nothing" },
  { text: "module.sig_enforce=1", reason: "only modules signed with the kernel's own key load" },
  { text: "lockdown=confidentiality", reason: "not even root reads or changes the kernel's memory" },
  { text: "init_on_alloc=1", reason: "memory is cleared before it is handed out" },
  { text: "slab_nomerge", reason: "kernel objects of different kinds do not share slabs" },
  { text: "randomize_kstack_offset=on", reason: "kernel stacks begin where an attacker cannot know" },
  { text: "vsyscall=none", reason: "no code at a fixed address" },
  { text: "debugfs=off", reason: "kernel surface that nothing uses" },
  { text: "ipv6.disable=1", reason: "kernel surface that nothing uses; the only sockets are vsock and Unix sockets" },
  {
    text: "no_timer_check",
    reason:
      "an emulated machine whose host is busy fails a test of the timer that the kernel makes as it starts, and " +
      "panics; under KVM the kernel leaves that test out by itself",
  },
  {
    text: "rootfstype=ramfs",
    reason:
      "the kernel mounts no file system that lies in a file of a tmpfs, which the root would else be, and Node " +
      "is in one",
  },
  { text: "efi=noruntime", reason: "firmware code is not called after the kernel has started" },
  {
    text: "acpi=off",
    platforms: ["sev-snp"],
    reason: "ACPI tables come from the host, run in ring 0 and are outside the SEV-SNP launch digest",
  },
  {
    text: "nr_cpus=1",
    platforms: ["sev-snp"],
    reason: "without ACPI the kernel knows of one processor only; more would be ignored, and said so",
  },
];

/** The kernel command line of one platform and edition. */
export function commandLine(platform: Platform, edition: Edition): string {
  const words = ARGUMENTS.filter(
    ({ platforms, editions }) => (platforms?.includes(platform) ?? true) && (editions?.includes(edition) ?? true),
  );
  return [...words.map(({ text }) => text), `cmcp.platform=${platform}`].join(" ");
}
