/** The page's server, started as its task starts it, against requests that no browser would make. */

import assert from "node:assert/strict";
import { cli, ROOT, startServer, taskArguments } from "./support.ts";

/** Sends bytes as they are, and returns the whole answer. */
async function send(port: number, head: string): Promise<{ head: string; body: Uint8Array }> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(Uint8Array.from(head, (letter) => letter.charCodeAt(0)));
  const bytes = new Uint8Array(await new Response(connection.readable).arrayBuffer());
  const text = new TextDecoder("latin1").decode(bytes);
  const end = text.indexOf("\r\n\r\n");
  return { head: text.slice(0, end), body: bytes.subarray(end + 4) };
}

const bytesEqual = (a: Uint8Array, b: Uint8Array) =>
  a.length === b.length && a.every((byte, i) => byte === b[i]);

Deno.test("the server gives out the page, and nothing to anyone who asks for more", async () => {
  const { url, server } = await startServer();
  try {
    const port = Number(new URL(url).port), own = `localhost:${port}`;
    const page = new Map<string, Uint8Array>();
    assert.equal((await cli("build")).code, 0); // what is served is what would be written
    for (const { name } of Deno.readDirSync(`${ROOT}/dist`)) {
      page.set(name, await Deno.readFile(`${ROOT}/dist/${name}`));
    }
    const request = (target: string, host = own, method = "GET", version = "HTTP/1.1") =>
      send(port, `${method} ${target} ${version}\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    const statusOf = (head: string) => Number(/^HTTP\/1\.[01] (\d+)/.exec(head)?.[1] ?? 400);

    // What is on the list is served, under this machine's names, to no other origin.
    for (const host of [own, `127.0.0.1:${port}`, "localhost", `[::1]:${port}`]) {
      const { head, body } = await request("/", host);
      assert.equal(statusOf(head), 200, host);
      assert.ok(bytesEqual(body, page.get("index.html")!));
    }
    for (const [name, bytes] of page) {
      const { head, body } = await request(`/${name}`, own, "HEAD");
      assert.equal(statusOf(head), 200, name);
      assert.match(head, new RegExp(`^content-length: ${bytes.length}\r?$`, "im"), name);
      assert.equal(body.length, 0);
      assert.ok(bytesEqual((await request(`/${name}`)).body, bytes), name);
    }

    // Files that are there, told by what they hold.
    const targets = ["deno.json", "README.md", "src/mod.ts", ".git", "web/main.ts", "etc/passwd"];
    const ups = [
      ...["..", "%2e%2e", "%2E.", ".%2e", "..%2f", "..%2F..", "..\\", "..%5c", "%5c..", "....//"],
      ...["%252e%252e", "%c0%ae%c0%ae", "%uff0e%uff0e", "..;", "..%00", "..%0d%0a", "\0..", ". ."],
      ...["\xc0\xae\xc0\xae", "..\t", "//..", "\\..", "/./..", "%2f..", "..%c0%af", "..%25%32%66"],
    ];
    const paths = targets.flatMap((target) =>
      ups.flatMap((up) => [`/${up}/${target}`, `/${up}/${up}/${up}/${target}`])
    );
    for (const target of targets) {
      paths.push(
        `/${target}`,
        `//${target}`,
        `/main.js/../../${target}`,
        `/data/mnist/../../${target}`,
      );
      paths.push(`///${ROOT}/${target}`, `/${encodeURIComponent(`${ROOT}/${target}`)}`);
      paths.push(`file://${ROOT}/${target}`, `http://${own}/../${target}`, `\\${target}`);
      paths.push(
        `http://${own}//${target}`,
        `C:\\${target}`,
        `/.${target}`,
        `/main.js%00${target}`,
      );
      paths.push(
        `/data/mnist/..%2f${target}`,
        `/data/mnist/train-images-idx3-ubyte.gz/../../../${target}`,
      );
    }
    paths.push(
      "/dist/main.js",
      "/main.js/",
      "/main.js%00",
      "/main.js%20",
      "/main.js::$DATA",
      "/MAIN.JS",
    );
    paths.push(
      "/data/mnist/",
      "/data/mnist",
      "/data/mnist/t10k-images-idx3-ubyte",
      "/data/",
      "*",
      "",
    );
    paths.push("//main.js", "/%6dain.js%2f", "/.", "/./", "/?/../deno.json", "/#/../deno.json");
    let refused = 0;
    for (const path of paths) {
      const { head, body } = await request(path);
      const status = statusOf(head);
      assert.doesNotMatch(head, /access-control/i, path);
      if (status === 200) { // it led to the page after all
        assert.ok([...page.values()].some((file) => bytesEqual(file, body)), `${path} was served`);
        continue;
      }
      assert.ok(status >= 400 && status < 500, `${path}: ${head}`);
      assert.ok(body.length < 200, path);
      refused++;
    }
    assert.ok(refused >= 200, `only ${refused} of ${paths.length} were refused`);

    // Other names: of pages that were told that this machine is their own server.
    const strangers = [
      "evil.example",
      "localhost.evil.example",
      `evil.example:${port}`,
      "169.254.0.1",
    ];
    strangers.push(
      "localhost@evil.example",
      "evil.example@localhost",
      "localhost.",
      "",
      "127.0.0.1.nip.io",
    );
    strangers.push(
      "localhost, evil.example",
      "localhost:1:2",
      "[::ffff:127.0.0.1]",
      "0",
      "127.1",
      "\xff",
    );
    for (const host of strangers) {
      const { head } = await request("/", host);
      assert.ok([400, 403].includes(statusOf(head)), `Host: ${host}: ${head}`);
      assert.doesNotMatch(head, /access-control/i);
    }
    const odd = [
      `GET / HTTP/1.1\r\nConnection: close\r\n\r\n`, // no Host at all
      `GET / HTTP/1.0\r\n\r\n`,
      `GET / HTTP/1.1\r\nHost: ${own}\r\nHost: evil.example\r\nConnection: close\r\n\r\n`,
      `GET / HTTP/1.1\r\nHost: evil.example\r\nHost: ${own}\r\nConnection: close\r\n\r\n`,
      `GET http://evil.example/main.js HTTP/1.1\r\nHost: ${own}\r\nConnection: close\r\n\r\n`,
      `GET http://${own}/main.js HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n`,
      `GET https://evil.example/ HTTP/1.1\r\nHost: ${own}\r\nConnection: close\r\n\r\n`,
    ];
    for (const head of odd) {
      const status = statusOf((await send(port, head)).head);
      assert.ok([400, 403].includes(status), `${head}: ${status}`);
    }
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PROPFIND"]) {
      const { head } = await request("/main.js", own, method);
      assert.ok([400, 405].includes(statusOf(head)), `${method}: ${head}`);
      assert.doesNotMatch(head, /access-control/i);
    }
    const crossOrigin =
      `GET / HTTP/1.1\r\nHost: ${own}\r\nOrigin: http://evil.example\r\nConnection: close\r\n\r\n`;
    assert.doesNotMatch((await send(port, crossOrigin)).head, /access-control/i);
    assert.equal(statusOf((await request("/")).head), 200); // it lives
  } finally {
    server.kill();
    await server.stdout.cancel();
    await server.status;
  }
});

/** Starts a program that serves the page, and waits until it does. */
async function serving(program: string, args: string[]) {
  const server = new Deno.Command(program, { args, cwd: ROOT, stdout: "piped", stderr: "null" })
    .spawn();
  const reader = server.stdout.getReader();
  const { value } = await reader.read();
  reader.releaseLock();
  const said = new TextDecoder().decode(value);
  return { server, port: Number(/localhost:(\d+)/.exec(said)?.[1]) };
}

const delay = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Waits until a port answers, or does no more. */
async function until(answers: boolean, port: number): Promise<void> {
  const end = Date.now() + 30_000;
  const asked = async () => {
    try {
      return (await send(port, `HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`))
        .head !== "";
    } catch {
      return false;
    }
  };
  while (await asked() !== answers) {
    assert.ok(Date.now() < end, `port ${port} ${answers ? "answers no more" : "answers still"}`);
    await delay(50);
  }
}

Deno.test("the server ends with the command that started it, however that ends", async () => {
  const { server, port } = await serving(Deno.execPath(), [
    "task",
    "--quiet",
    "web",
    "--port",
    "0",
  ]);
  await until(true, port);
  server.kill("SIGKILL"); // `deno task`, which cannot tell anyone
  await server.stdout.cancel();
  await server.status;
  await until(false, port);
});

Deno.test("more connections than the system opens: the server takes some again later", async () => {
  const task = await taskArguments("web");
  const { server, port } = await serving("sh", [
    ...["-c", `ulimit -n 64; exec "$@"`, "sh", Deno.execPath(), ...task, "--port", "0"],
  ]);
  try {
    const held: Deno.Conn[] = [];
    for (let i = 0; i < 100; i++) {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port }).catch(() => undefined);
      if (!connection) break; // refused
      await connection.write(new TextEncoder().encode("GET / HTTP/1.1\r\n")).catch(() => {});
      held.push(connection);
    }
    assert.ok(held.length > 10, `${held.length}`);
    held.forEach((connection) => connection.close());
    await until(true, port);
  } finally {
    server.kill("SIGKILL");
    await server.stdout.cancel();
    await server.status;
  }
});

Deno.test("two builds at once: both end well, and the page is whole", async () => {
  const ends = await Promise.all([cli("build"), cli("build")]);
  for (const { code, stderr } of ends) assert.equal(code, 0, stderr);
  const names = [...Deno.readDirSync(`${ROOT}/dist`)].map(({ name }) => name);
  for (const name of ["index.html", "main.js", "worker.js", "thread.js", "style.css"]) {
    assert.ok(names.includes(name), name);
  }
  assert.deepEqual(names.filter((name) => name.endsWith(".part")), []);
  // What a file names beside itself is there.
  for (const name of names.filter((name) => /\.js$/.test(name))) {
    const text = await Deno.readTextFile(`${ROOT}/dist/${name}`);
    for (const [, other] of text.matchAll(/from"\.\/([\w.-]+)"/g)) {
      assert.ok(names.includes(other), `${name} names ${other}`);
    }
  }
});

Deno.test("web and build: help, and what is wrong, in one line, before anything is built", async () => {
  const help = await cli("web", "--help");
  assert.equal(help.code, 0, help.stderr);
  assert.match(help.stdout, /--host <name>[^]*--port <number>/);
  const cases: [RegExp, ...string[]][] = [
    [/port 65536: give a whole number/, "web", "--port", "65536"],
    [/port 1\.5: give a whole number/, "web", "--port", "1.5"],
    [/give a number/, "web", "--port", "http"],
    [/--prot.*--port/, "web", "--prot", "80"],
    [/too many arguments/, "build", "there"],
  ];
  for (const [message, ...args] of cases) {
    const { code, stdout, stderr } = await cli(...args);
    assert.deepEqual([code, stdout], [2, ""], stderr);
    assert.match(stderr, message);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
  }
  const { server, url } = await startServer();
  const { port } = new URL(url);
  const taken = await cli("web", "--port", port);
  server.kill();
  await server.stdout.cancel();
  await server.status;
  assert.equal(taken.code, 2, taken.stderr);
  assert.match(
    taken.stderr,
    /^Cannot serve on 127\.0\.0\.1, port \d+: Address already in use; [^\n]+\n$/,
  );
});
