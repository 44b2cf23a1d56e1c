import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { DOMAIN_FLOORS, MAX_EXTRA_LABELS, MAX_RANK, SENSITIVITY_RANKS, Vocabulary } from "./index.ts";

const vocabulary = new Vocabulary({ secret_a: 3, secret_b: 4, zero: 0 });
const label = fc.constantFrom(...vocabulary.labels);

void describe("the order of sensitivity labels", () => {
  void it("has the fixed ranks", () => {
    const ranks = Object.fromEntries(new Vocabulary().labels.map((name) => [name, new Vocabulary().rank(name)]));
    assert.deepEqual(ranks, { public: 0, pii: 1, confidential: 2, hipaa_phi: 3, mnpi: 3, trade_secret: 3 });
  });

  void it("has a highest label, which nothing exceeds", () => {
    assert.equal(vocabulary.highest, "secret_b");
    assert.equal(new Vocabulary().highest, "hipaa_phi");
    for (const name of vocabulary.labels) assert.equal(vocabulary.max(name, vocabulary.highest), vocabulary.highest);
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

  void it("keeps the first name in code-unit order among labels of one rank", () => {
    assert.equal(vocabulary.max("mnpi", "hipaa_phi"), "hipaa_phi");
    assert.equal(vocabulary.max("hipaa_phi", "trade_secret"), "hipaa_phi");
    assert.equal(vocabulary.max("secret_a", "trade_secret"), "secret_a");
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
      assert.throws(() => new Vocabulary({ [name]: rank }), { code: "CONFIG_INVALID" });
  });

  void it("refuses malformed labels, ranks and too many of them", () => {
    for (const rank of [-1, 1.5, Number.NaN, MAX_RANK + 1])
      assert.throws(() => new Vocabulary({ added: rank }), { code: "CONFIG_INVALID" });
    for (const name of ["", "Upper", "a b", "-a", "a".repeat(65)])
      assert.throws(() => new Vocabulary({ [name]: 1 }), { code: "CONFIG_INVALID" });
    const many = Object.fromEntries(Array.from({ length: MAX_EXTRA_LABELS + 1 }, (_, index) => [`l${index}`, 1]));
    assert.throws(() => new Vocabulary(many), { code: "CONFIG_INVALID" });
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
