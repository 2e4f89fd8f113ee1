"""Litmus tests under the memory models of the machines that the kernel runs on.

A test (*.litmus) is the steps of two or more CPUs in the words of C, `forbid` conditions that no machine may show, `allow` conditions that
show that the test is not empty, and faults: changes of a step that must let a forbidden outcome through on the machines they name. Each
step may name the code it stands for; `ties()` fails when that text, or its order in its function, is not there any more.

How it judges: every step becomes the accesses and fences that the compiler makes of it on a machine (`lower()`; mapping.py holds the
compiler to that table), every way in which reads may get their values and stores may follow one another is tried, and an execution
counts if the axioms of the machine allow it:
    all         accesses of one CPU to one place keep their order (acyclic po-loc, rf, co, fr); nothing comes between the two halves
                of an atomic operation
    x86_64      Sewell et al., "x86-TSO", 2010: one order of all but a load that passes an earlier store
    aarch64     Arm Architecture Reference Manual DDI 0487, B2.3: observed-by and locally-ordered-before have no cycle; with LSE (an
                acquire-release atomic is a full barrier there) and, as `aarch64-llsc`, with exclusive pairs, which are not
    riscv64     RISC-V Unprivileged ISA, chapter "RVWMO": the thirteen rules of preserved program order; atomic operations are one access,
                but as `riscv64-lrsc` they are made of LR and SC, as those of bytes are
known.litmus holds this to the verdicts that the architectures publish for the classic tests.
"""
import itertools
import re

MACHINES = ("x86_64", "aarch64", "aarch64-llsc", "riscv64", "riscv64-lrsc")
ORDERS = ("relaxed", "acquire", "release", "acq_rel", "seq_cst")


class Step:
    """One step of a thread: kind load, store, rmw, fence or assume."""

    def __init__(self, text, tie=None):
        self.text, self.tie, self.label = text, tie, None
        match = re.fullmatch(r"(\w+): (.*)", text)
        if match:
            self.label, text = match.groups()
        self.register = self.place = self.value = self.address = None
        self.order = "relaxed"
        words = text.split()
        if words[0] == "fence":
            self.kind, self.order = "fence", words[1]
        elif words[0] == "store":
            self.kind, self.place, self.value, self.order = "store", words[1], words[2], words[3]
        elif words[0] == "assume":
            self.kind, self.register, self.value = "assume", words[1], words[3]
            assert words[2] == "=", text
        elif words[2] == "load":
            self.kind, self.register, self.place, self.order = "load", words[0], words[3], words[4]
        elif words[2] in ("exchange", "add"):
            self.kind, self.register, self.place = "rmw", words[0], words[3]
            self.value, self.order, self.adds = words[4], words[5], words[2] == "add"
        else:
            raise ValueError(text)
        if self.place and "@" in self.place:  # load data@r1: the address comes from r1
            self.place, self.address = self.place.split("@")
        assert self.order in ORDERS, text


class Event:
    """An access or a fence as the machine makes it."""

    def __init__(self, thread, kind, step=None, place=None, marks=(), pair=None):
        self.thread, self.kind, self.step, self.place = thread, kind, step, place
        self.marks, self.pair = frozenset(marks), pair  # pair: the other half of an atomic operation
        self.index = None
        self.addr, self.data, self.ctrl = set(), set(), set()


def lower(machine, thread, step):
    """The events of @step on @machine, in order: what clang makes of the __atomic builtins there."""
    arm, riscv = machine.startswith("aarch64"), machine.startswith("riscv64")
    order, event = step.order, lambda kind, marks=(): Event(thread, kind, step, step.place, marks)
    if step.kind == "fence":
        if arm:
            return [event({"acquire": "dmb.ld"}.get(order, "dmb"))]
        if riscv:
            return [event({"acquire": "fence r,rw", "release": "fence rw,w"}.get(order, "fence rw,rw"))]
        return [event("mfence")] if order == "seq_cst" else []
    if step.kind == "load":
        if arm:
            return [event("R", ["A"] if order in ("acquire", "seq_cst") else [])]
        if riscv:
            before = [event("fence rw,rw")] if order == "seq_cst" else []
            after = [event("fence r,rw")] if order in ("acquire", "seq_cst") else []
            return before + [event("R")] + after
        return [event("R")]
    if step.kind == "store":
        if arm:
            return [event("W", ["L"] if order in ("release", "seq_cst") else [])]
        if riscv:
            before = [event("fence rw,w")] if order in ("release", "seq_cst") else []
            return before + [event("W")] + ([event("fence rw,rw")] if order == "seq_cst" else [])
        return [event("mfence"), event("W"), event("mfence")] if order == "seq_cst" else [event("W")]
    acquire, release = order in ("acquire", "acq_rel", "seq_cst"), order in ("release", "acq_rel", "seq_cst")
    read, write = event("R", ["atomic"]), event("W", ["atomic"])
    read.pair, write.pair = write, read
    if arm:
        extra = [] if machine.endswith("llsc") else ["amo"]
        read.marks |= frozenset(extra + (["A"] if acquire else []))
        write.marks |= frozenset(extra + (["L"] if release else []))
    elif machine == "riscv64-lrsc":
        # lr.aqrl, sc.rl for seq_cst; lr.aq, sc.rl for acq_rel
        read.marks |= frozenset((["aq"] if acquire else []) + (["rl"] if order == "seq_cst" else []))
        write.marks |= frozenset(["rl"] if release else [])
    elif riscv:
        both = frozenset(["amo"] + (["aq"] if acquire else []) + (["rl"] if release else []))
        read.marks |= both
        write.marks |= both
    else:
        read.marks |= frozenset(["amo"])
        write.marks |= frozenset(["amo"])
        return [event("mfence"), read, write, event("mfence")]
    return [read, write]


class Program:
    """The events of a test on one machine."""

    def __init__(self, machine, init, threads):
        self.machine, self.events, self.assumes = machine, [], []
        places = set(init)
        for thread, steps in threads.items():
            places |= {step.place for step in steps if step.place}
        self.inits = []
        for place in sorted(places):
            first = Event(None, "W", None, place)
            first.constant = init.get(place, 0)
            self.inits.append(first)
        self.by_thread = {}
        for thread, steps in threads.items():
            self.by_thread[thread] = self.lower_thread(machine, thread, steps)
        self.events = self.inits + [e for events in self.by_thread.values() for e in events]
        for index, event in enumerate(self.events):
            event.index = index

    def lower_thread(self, machine, thread, steps):
        events, source, control = [], {}, set()  # source: register to the read that fills it
        for step in steps:
            if step.kind == "assume":
                self.assumes.append((source[step.register], int(step.value)))
                control = control | {source[step.register]}
                continue
            for event in lower(machine, thread, step):
                event.ctrl = set(control)
                if step.address:
                    event.addr = {source[step.address]}
                if event.kind == "W" and step.value in source:
                    event.data = {source[step.value]}
                    event.value_from = source[step.value]
                if event.kind == "R":
                    source[step.register] = event
                events.append(event)
            if step.kind == "rmw" and step.adds:
                events_write = [e for e in events if e.step is step and e.kind == "W"][0]
                events_write.data = {events_write.pair}
        self.registers = getattr(self, "registers", {})
        for register, event in source.items():
            self.registers[f"{thread}.{register}"] = event
        return events


def value_of(event, sources, busy=()):
    """What @event reads or writes; None if it depends on itself."""
    if event in busy:
        return None
    if event.kind == "R":
        return value_of(sources[event], sources, busy + (event,))
    if event.step is None:
        return event.constant
    if event.step.kind == "rmw" and event.step.adds:
        old = value_of(event.pair, sources, busy + (event,))
        return None if old is None else old + int(event.step.value)
    if hasattr(event, "value_from"):
        return value_of(event.value_from, sources, busy + (event,))
    return int(event.step.value)


def acyclic(count, edges):
    following = [set() for _ in range(count)]
    for a, b in edges:
        following[a].add(b)
    state = [0] * count

    def visit(node):
        state[node] = 1
        for after in following[node]:
            if state[after] == 1 or (state[after] == 0 and not visit(after)):
                return False
        state[node] = 2
        return True

    return all(state[node] != 0 or visit(node) for node in range(count))


def executions(program):
    """Every candidate that is coherent: (sources of reads, order of stores)."""
    reads = [e for e in program.events if e.kind == "R"]
    writes = {}
    for event in program.events:
        if event.kind == "W":
            writes.setdefault(event.place, []).append(event)
    orders = [[[stores[0]] + list(rest) for rest in itertools.permutations(stores[1:])] for stores in writes.values()]
    program_order = [(a, b) for events in program.by_thread.values() for a, b in itertools.combinations(events, 2)]
    same_place = [(a.index, b.index) for a, b in program_order if a.place is not None and a.place == b.place]
    for chosen in itertools.product(*[writes[read.place] for read in reads]):
        sources = dict(zip(reads, chosen))
        if any(read.pair is write for read, write in sources.items()):
            continue
        values = {event: value_of(event, sources) for event in program.events if event.kind in "RW"}
        if None in values.values() or any(values[read] != wanted for read, wanted in program.assumes):
            continue
        for coherence in itertools.product(*orders):
            place_of = {write: (n, i) for n, order in enumerate(coherence) for i, write in enumerate(order)}
            co = [(a, b) for order in coherence for a, b in itertools.combinations(order, 2)]
            rf = [(write, read) for read, write in sources.items()]
            fr = [(read, later) for read, write in sources.items()
                  for later in coherence[place_of[write][0]][place_of[write][1] + 1:] if later is not read.pair]
            # Between the halves of an atomic operation comes no other store.
            if any(read.pair and place_of[read.pair][1] != place_of[write][1] + 1 for read, write in sources.items()):
                continue
            edges = same_place + [(a.index, b.index) for a, b in co + rf + fr]
            if acyclic(len(program.events), edges):
                yield sources, values, co, rf, fr, program_order


def preserved_tso(events):
    """x86-TSO: everything but a store followed by a load; fences restore that."""
    for i, a in enumerate(events):
        for j in range(i + 1, len(events)):
            b = events[j]
            if a.kind not in "RW" or b.kind not in "RW":
                continue
            fenced = any(e.kind == "mfence" for e in events[i:j])
            if not (a.kind == "W" and b.kind == "R") or fenced:
                yield a, b


def preserved_arm(events, sources):
    """Locally-ordered-before, as far as these tests have its ingredients."""
    for i, a in enumerate(events):
        for j in range(i + 1, len(events)):
            b, between = events[j], events[i + 1:j]
            if a.kind not in "RW" or b.kind not in "RW":
                continue
            full = any(e.kind == "dmb" for e in between)
            amo = a.kind == "W" and {"amo", "L"} <= a.marks and "A" in a.pair.marks
            load_fence = a.kind == "R" and any(e.kind == "dmb.ld" for e in between)
            barrier = "A" in a.marks or "L" in b.marks or ("L" in a.marks and "A" in b.marks)
            depends = a in b.addr or a in b.data or (a in b.ctrl and b.kind == "W")
            address_then_store = b.kind == "W" and any(a in e.addr for e in between)
            forwarded = b.kind == "R" and any(a in (e.addr | e.data) and sources[b] is e for e in between if e.kind == "W")
            own = a.pair is b
            released_read = b.kind == "R" and "A" in b.marks and "atomic" in a.marks and a.kind == "W" and sources[b] is a
            if full or amo or load_fence or barrier or depends or address_then_store or forwarded or own or released_read:
                yield a, b


FENCES = {"fence rw,rw": ("RW", "RW"), "fence r,rw": ("R", "RW"), "fence rw,w": ("RW", "W")}


def preserved_riscv(events, sources):
    """Preserved program order, rules 1 to 13."""
    for i, a in enumerate(events):
        for j in range(i + 1, len(events)):
            b, between = events[j], events[i + 1:j]
            if a.kind not in "RW" or b.kind not in "RW":
                continue
            same = a.place == b.place
            rule1 = same and b.kind == "W"
            rule2 = (same and a.kind == b.kind == "R" and sources[a] is not sources[b] and
                     not any(e.kind == "W" and e.place == a.place for e in between))
            rule3 = b.kind == "R" and "atomic" in a.marks and a.kind == "W" and sources[b] is a
            rule4 = any(e.kind in FENCES and a.kind in FENCES[e.kind][0] and b.kind in FENCES[e.kind][1] for e in between)
            rule5 = "aq" in a.marks
            rule6 = "rl" in b.marks
            rule7 = bool({"aq", "rl"} & a.marks) and bool({"aq", "rl"} & b.marks)
            rule8 = a.pair is b
            rule9_11 = a in b.addr or a in b.data or (a in b.ctrl and b.kind == "W")
            rule12 = b.kind == "R" and any(a in (e.addr | e.data) and sources[b] is e for e in between if e.kind == "W")
            rule13 = b.kind == "W" and any(a in e.addr for e in between)
            if rule1 or rule2 or rule3 or rule4 or rule5 or rule6 or rule7 or rule8 or rule9_11 or rule12 or rule13:
                yield a, b


def is_allowed(program, execution):
    """Does the machine show this execution?"""
    sources, _, co, rf, fr, _ = execution
    external = [(a, b) for a, b in rf + co + fr if a.thread != b.thread]
    edges = list(external)
    if program.machine == "x86_64":
        preserved = preserved_tso
    elif program.machine.startswith("aarch64"):
        preserved = lambda events: preserved_arm(events, sources)
    else:
        preserved = lambda events: preserved_riscv(events, sources)
        edges += [pair for pair in co + fr if pair not in external]
    for events in program.by_thread.values():
        edges += list(preserved(events))
    # An atomic operation that is one access is one point of the order.
    point = {e: e.pair.index if e.kind == "W" and "amo" in e.marks and not program.machine.startswith("aarch64") else e.index
             for e in program.events}
    merged = [(point[a], point[b]) for a, b in edges if point[a] != point[b]]
    return acyclic(len(program.events), merged)


def outcome_holds(program, execution, condition):
    """@condition: {register or place: value}; a place means its last value."""
    sources, values, co = execution[:3]
    for name, wanted in condition.items():
        if name in program.registers:
            if values[program.registers[name]] != wanted:
                return False
        else:
            stores = [e for e in program.events if e.kind == "W" and e.place == name]
            assert stores, name
            last = [e for e in stores if not any(a is e for a, _ in co)]
            if values[last[0]] != wanted:
                return False
    return True


def is_shown(machine, init, threads, condition):
    program = Program(machine, init, threads)
    return any(outcome_holds(program, execution, condition) and is_allowed(program, execution)
               for execution in executions(program))


class Litmus:
    """One test, read from the lines of its file."""

    def __init__(self, name, lines):
        self.name, self.init, self.threads = name, {}, {}
        self.forbids, self.allows, self.faults = [], [], []
        thread = None
        for line in lines:
            text, _, tie = line.partition(" | ")
            words = text.split()
            if words[0] == "init":
                self.init = {k: int(v) for k, v in (word.split("=") for word in words[1:])}
            elif words[0] == "thread":
                thread = words[1]
                self.threads[thread] = []
            elif words[0] in ("forbid", "allow"):
                (self.forbids if words[0] == "forbid" else self.allows).append(self.outcome(words[1:]))
            elif words[0] == "fault":
                self.faults.append(self.fault(text))
            else:
                self.threads[thread].append(Step(text.strip(), tie.strip() or None))

    @staticmethod
    def outcome(words):
        """`a.r1=0 b.r2=1 on x86_64 riscv64`: (condition, machines); no `on`: all."""
        where = words[words.index("on") + 1:] if "on" in words else list(MACHINES)
        for machine in where:
            assert machine in MACHINES, machine
        conditions = words[:words.index("on")] if "on" in words else words
        return {k: int(v) for k, v in (word.split("=") for word in conditions)}, where

    @staticmethod
    def fault(text):
        """`fault what is wrong on MACHINES: LABEL drop | LABEL -> STEP | LABEL after LABEL | LABEL before LABEL`, with `; ` between."""
        match = re.fullmatch(r"fault (.*?) on ([a-z0-9_ -]+): (.*)", text.strip())
        assert match, text
        return match.group(1), match.group(2).split(), match.group(3)

    def with_fault(self, change):
        """The threads, changed."""
        threads = {name: list(steps) for name, steps in self.threads.items()}
        for part in change.split("; "):
            label, action = part.split(" ", 1)
            for steps in threads.values():
                at = [i for i, step in enumerate(steps) if step.label == label]
                if not at:
                    continue
                step = steps.pop(at[0])
                if action.startswith("-> "):
                    steps.insert(at[0], Step(f"{label}: {action[3:]}", step.tie))
                elif action.startswith(("after ", "before ")):
                    where, target = action.split()
                    index = [i for i, other in enumerate(steps) if other.label == target][0]
                    steps.insert(index + (where == "after"), step)
                else:
                    assert action == "drop", change
                break
            else:
                raise ValueError(change)
        return threads


def read_file(path):
    tests, name, lines = [], None, []
    with open(path, encoding="utf-8") as file:
        for line in file:
            line = line.rstrip("\n")
            if not line.strip() or line.startswith("#"):
                continue
            if line.startswith("test "):
                if name:
                    tests.append(Litmus(name, lines))
                name, lines = line[5:].strip(), []
            else:
                lines.append(line)
    tests.append(Litmus(name, lines))
    return tests


def function_text(path, function):
    """The body of @function in @path, in the style of this tree: it ends with a brace in the first column."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    for match in re.finditer(r"^[A-Za-z_#].*\b" + re.escape(function) + r"\(", text, re.M):
        end = text.find("\n}", match.start())
        brace, semicolon = text.find("{", match.start()), text.find(";", match.start())
        if brace != -1 and (semicolon == -1 or brace < semicolon):
            return re.sub(r"\s+", " ", re.sub(r"/\*.*?\*/", "", text[match.start():end], flags=re.S))
    raise ValueError(f"{path}: no function {function}")


def untied(test, root):
    """What the steps of @test say of the code and is not so (any more)."""
    wrong = []
    for thread, steps in test.threads.items():
        position, last = 0, None
        for step in steps:
            for tie in step.tie.split(" &&& ") if step.tie else []:
                place, _, text = tie.partition(" | ")
                path, function = place.split()
                try:
                    body = function_text(f"{root}/{path}", function)
                except (OSError, ValueError) as error:
                    wrong.append(f"{test.name}, {thread}: {error}")
                    continue
                position = position if last == (path, function) else 0
                last = (path, function)
                found = body.find(re.sub(r"\s+", " ", text.strip()), position)
                if found < 0:
                    wrong.append(f"{test.name}, {thread}: {path}, {function}: no `{text.strip()}` (there, in this order)")
                else:
                    position = found
    return wrong
