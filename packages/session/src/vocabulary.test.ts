import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import {
  DOMAIN_FLOORS,
  MAX_EXTRA_DOMAINS,
  MAX_EXTRA_LABELS,
  MAX_RANK,
  SENSITIVITY_RANKS,
  Vocabulary,
} from "./index.ts";

const vocabulary = new Vocabulary({ vocabulary: { secret_a: 3, secret_b: 4, zero: 0 } });
const label = fc.constantFrom(...vocabulary.labels);

void describe("the order of sensitivity labels", () => {
  void it("has the fixed ranks", () => {
    const ranks = Object.fromEntries(new Vocabulary().labels.map((name) => [name, new Vocabulary().rank(name)]));
    assert.deepEqual(ranks, { public: 0, pii: 1, confidential: 2, hipaa_phi: 3, mnpi: 3, trade_secret: 3 });
  });

  void it("has a highest label, which nothing exceeds", () => {
    const { compartments, integrity } = vocabulary.highest;
    assert.deepEqual([...compartments, "public"].sort(), [...vocabulary.labels].sort());
    assert.equal(integrity, "untrusted");
    assert.equal(vocabulary.linear(compartments), "secret_b");
    assert.equal(new Vocabulary().linear(new Vocabulary().highest.compartments), "hipaa_phi");
  });

  void it("joins as a semilattice whose rank is the higher one", () => {
    fc.assert(
      fc.property(label, label, label, (a, b, c) => {
        const max = (x: string, y: string): string => vocabulary.max(x, y);
        assert.equal(max(a, a), a);
        assert.equal(max(a, b), max(b, a));
        assert.equal(max(a, max(b, c)), max(max(a, b), c));
        assert.equal(vocabulary.rank(max(a, b)), Math.max(vocabulary.rank(a), vocabulary.rank(b)));
        assert.ok([a, b].includes(max(a, b)));
      }),
    );
  });

  void it("gives any order and grouping of the same labels one name", () => {
    fc.assert(
      fc.property(fc.array(label, { minLength: 1 }), (labels) => {
        const join = (list: readonly string[]): string => list.reduce((a, b) => vocabulary.max(a, b));
        assert.equal(join(labels), join(labels.toReversed()));
        assert.equal(join(labels), join([...labels].sort()));
      }),
    );
  });

  void it("keeps hipaa_phi, mnpi, trade_secret, then the first name, among labels of one rank", () => {
    assert.equal(vocabulary.max("mnpi", "hipaa_phi"), "hipaa_phi");
    assert.equal(vocabulary.max("trade_secret", "mnpi"), "mnpi");
    assert.equal(vocabulary.max("secret_a", "trade_secret"), "trade_secret");
    const own = new Vocabulary({ vocabulary: { a_label: 3, b_label: 3 } });
    assert.deepEqual([own.max("b_label", "a_label"), own.max("a_label", "hipaa_phi")], ["a_label", "hipaa_phi"]);
  });

  void it("knows no rank for an unknown label, inherited names included", () => {
    for (const name of ["restricted", "toString", "__proto__", ""]) {
      assert.equal(vocabulary.has(name), false);
      assert.throws(() => vocabulary.rank(name), { code: "INTERNAL" });
      assert.throws(() => vocabulary.max("public", name), { code: "INTERNAL" });
    }
  });

  void it("refuses to change a built-in label, even to the rank it has", () => {
    for (const [name, rank] of Object.entries(SENSITIVITY_RANKS))
      assert.throws(() => new Vocabulary({ vocabulary: { [name]: rank } }), { code: "CONFIG_INVALID" });
  });

  void it("refuses malformed labels, ranks and too many of them", () => {
    for (const rank of [-1, 1.5, Number.NaN, MAX_RANK + 1])
      assert.throws(() => new Vocabulary({ vocabulary: { added: rank } }), { code: "CONFIG_INVALID" });
    for (const name of ["", "Upper", "a b", "-a", "a".repeat(65)])
      assert.throws(() => new Vocabulary({ vocabulary: { [name]: 1 } }), { code: "CONFIG_INVALID" });
    const many = Object.fromEntries(Array.from({ length: MAX_EXTRA_LABELS + 1 }, (_, index) => [`l${index}`, 1]));
    assert.throws(() => new Vocabulary({ vocabulary: many }), { code: "CONFIG_INVALID" });
  });
});

void describe("floors of compliance domains", () => {
  void it("are the published ones", () => {
    assert.deepEqual(
      { ...DOMAIN_FLOORS },
      {
        hipaa_phi: "hipaa_phi",
        pci_data: "confidential",
        mnpi: "mnpi",
        pii: "pii",
        trade_secret: "trade_secret",
        internal: "confidential",
        external: "public",
        public: "public",
      },
    );
    for (const [domain, floor] of Object.entries(DOMAIN_FLOORS)) assert.equal(vocabulary.floorOfDomain(domain), floor);
  });

  void it("do not exist for an unknown domain", () => {
    for (const domain of ["phi", "constructor", ""])
      assert.throws(() => vocabulary.floorOfDomain(domain), { code: "INTERNAL" });
  });
});

void describe("compliance domains of a deployment", () => {
  const own = new Vocabulary({ compliance_domains: { gdpr: true, partners: false } });

  void it("are known beside the built-in ones, have no floor, and say whether they are regulated", () => {
    assert.deepEqual([own.hasDomain("gdpr"), own.hasDomain("mnpi"), own.hasDomain("other")], [true, true, false]);
    assert.deepEqual([own.floorOfDomain("gdpr"), own.floorOfDomain("partners")], ["public", "public"]);
    assert.deepEqual(
      ["gdpr", "partners", "hipaa_phi", "external"].map((name) => own.isRegulated(name)),
      [true, false, true, false],
    );
  });

  void it("cannot replace a built-in one, are well formed and bounded in number", () => {
    for (const domains of [{ pii: false }, { "": true }, { "A b": true }])
      assert.throws(() => new Vocabulary({ compliance_domains: domains }), { code: "CONFIG_INVALID" });
    const many = Object.fromEntries(Array.from({ length: MAX_EXTRA_DOMAINS + 1 }, (_, at) => [`d${at}`, true]));
    assert.throws(() => new Vocabulary({ compliance_domains: many }), { code: "CONFIG_INVALID" });
  });

  void it("have room for 256 of either kind, of 64 characters, and for ranks to 1000", () => {
    const named = <T>(value: T): Record<string, T> =>
      Object.fromEntries(Array.from({ length: 256 }, (_, at) => [`${at}`.padEnd(64, "x"), value]));
    const full = new Vocabulary({ vocabulary: named(1_000), compliance_domains: named(true) });
    assert.equal(full.labels.length, 256 + Object.keys(SENSITIVITY_RANKS).length);
    assert.equal(full.rank("0".padEnd(64, "x")), 1_000);
    assert.ok(full.hasDomain("255".padEnd(64, "x")));
    assert.deepEqual([MAX_EXTRA_LABELS, MAX_EXTRA_DOMAINS, MAX_RANK], [256, 256, 1_000]);
  });
});
