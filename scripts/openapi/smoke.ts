// What a customer's program would do with a client generated from the document. It compiles only while the types
// say what it relies on, and runs against the server at PARLEY_URL with the key PARLEY_KEY (all scopes).
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./parley.js";

type Agent = components["schemas"]["Agent"];

const baseUrl = process.env["PARLEY_URL"] ?? "http://127.0.0.1:8080";
// JSON unless a call asks for something else: only the chat has another form, its event stream.
const connect = (key: string) => createClient<paths, "application/json">({ baseUrl, headers: { "x-api-key": key } });
const parley = connect(process.env["PARLEY_KEY"] ?? "");

// ok unwraps a success and fails with the server's own words otherwise.
function ok<T>(answer: { data?: { data: T }; error?: components["schemas"]["Problem"] }): T {
  if (answer.data === undefined) {
    assert.fail(answer.error?.error.message ?? "the answer is empty");
  }
  return answer.data.data;
}

// words reads an agent by its type: each has its own config.
function words(agent: Agent): string {
  switch (agent.type) {
    case "voice":
      // @ts-expect-error a voice agent has no theme
      void agent.config.theme;
      return `${agent.config.voice} at ${agent.config.speed.toFixed(1)}, ${agent.phoneNumbers.length} numbers`;
    case "chat":
      return `${agent.config.theme}, ${agent.embedCode}`;
  }
}

async function agents() {
  const voice = ok(await parley.POST("/api/v1/agents", {
    body: { name: "Smoke voice", type: "voice", config: { voice: "cedar", speed: 1.25 }, toolIds: ["current_time"] },
  }));
  assert.equal(words(voice), "cedar at 1.3, 0 numbers");
  assert.equal(voice.tools[0]?.id, "current_time");

  const chat = ok(await parley.POST("/api/v1/agents", { body: { name: "Smoke chat", type: "chat", config: { theme: "dark" } } }));
  assert.match(words(chat), /^dark, <script .*><\/script>$/);

  // @ts-expect-error a chat agent has no voice
  const wrong = await parley.POST("/api/v1/agents", { body: { name: "Wrong", type: "chat", config: { voice: "sage" } } });
  assert.equal(wrong.response.status, 400);
  assert.equal(wrong.error?.error.type, "invalid_request");
  assert.deepEqual(wrong.error?.error.details?.map((d) => d.field), ["config.voice"]);

  // @ts-expect-error no such status
  void ({ status: "sleeping" } satisfies { status: Agent["status"] });
  return { voice, chat };
}

async function lists(chat: Agent) {
  const found: Agent[] = [];
  for (let offset = 0, more = true; more; offset += 1) {
    const page = ok(await parley.GET("/api/v1/agents", { params: { query: { search: "smoke", sort: "name", order: "asc", limit: 1, offset } } }));
    found.push(...page.agents);
    more = page.pagination.hasMore;
    assert.equal(page.pagination.total, 2);
  }
  assert.deepEqual(found.map((a) => a.name), ["Smoke chat", "Smoke voice"]);
  const chats = ok(await parley.GET("/api/v1/agents", { params: { query: { type: "chat", status: "active", search: "smoke" } } }));
  assert.deepEqual(chats.agents.map((a) => a.id), [chat.id]);
}

async function changes(voice: Agent) {
  const path = { agentId: voice.id };
  const changed = ok(await parley.PATCH("/api/v1/agents/{agentId}", { params: { path }, body: { config: { speed: null, greeting: "Hello" } } }));
  assert.equal(changed.updated, true);
  assert.ok(changed.type === "voice");
  assert.deepEqual([changed.config.voice, changed.config.speed, changed.config.greeting], ["cedar", 1, "Hello"]);

  const refused = await parley.PATCH("/api/v1/agents/{agentId}", { params: { path }, body: { config: { speed: 9 } } });
  assert.deepEqual(refused.error?.error.details?.map((d) => d.field), ["config.speed"]);
  assert.equal(refused.error?.error.requestId, refused.response.headers.get("x-request-id"));

  assert.equal(ok(await parley.DELETE("/api/v1/agents/{agentId}", { params: { path } })).deleted, true);
  const gone = await parley.GET("/api/v1/agents/{agentId}", { params: { path } });
  assert.deepEqual([gone.response.status, gone.error?.error.code, gone.error?.error.type], [404, 404, "not_found"]);
  const back = ok(await parley.POST("/api/v1/agents/{agentId}/restore", { params: { path } }));
  assert.equal(back.status, "inactive");
}

async function retries(chat: Agent) {
  const header = { "Idempotency-Key": crypto.randomUUID() };
  const once = await parley.POST("/api/v1/agents", { params: { header }, body: { name: "Twice", type: "chat" } });
  const again = await parley.POST("/api/v1/agents", { params: { header }, body: { name: "Twice", type: "chat" } });
  assert.equal(ok(again).id, ok(once).id);
  assert.equal(again.response.headers.get("idempotency-replayed"), "true");
  const other = await parley.POST("/api/v1/agents", { params: { header }, body: { name: "Other", type: "chat" } });
  assert.equal(other.response.status, 422);

  const path = { agentId: chat.id };
  const read = await parley.GET("/api/v1/agents/{agentId}", { params: { path } });
  const etag = read.response.headers.get("etag") ?? assert.fail("no ETag");
  assert.ok(Number(read.response.headers.get("x-ratelimit-remaining")) > 0);
  ok(await parley.PATCH("/api/v1/agents/{agentId}", { params: { path, header: { "If-Match": etag } }, body: { instructions: "Be brief." } }));
  const late = await parley.PATCH("/api/v1/agents/{agentId}", { params: { path, header: { "If-Match": etag } }, body: { instructions: "Be long." } });
  assert.deepEqual([late.response.status, late.error?.error.type], [412, "conflict"]);
}

async function tools(voice: Agent) {
  const made = ok(await parley.POST("/api/v1/tools", {
    body: {
      name: "Look up order", description: "Tells the state of an order.", kind: "http",
      http: { method: "GET", url: "https://shop.example.com/orders/{{args.orderId}}" },
      parameters: { type: "object", properties: { orderId: { type: "string" } }, required: ["orderId"] },
    },
  }));
  assert.deepEqual([made.kind, made.http?.method], ["http", "GET"]);
  const path = { toolId: made.id };
  const changed = ok(await parley.PATCH("/api/v1/tools/{toolId}", { params: { path }, body: { confirm: true, http: { timeoutSeconds: 20 } } }));
  assert.deepEqual([changed.confirm, changed.http?.timeoutSeconds], [true, 20]);
  const agent = ok(await parley.PATCH("/api/v1/agents/{agentId}", { params: { path: { agentId: voice.id } }, body: { toolIds: [made.id, "current_time"] } }));
  assert.deepEqual(agent.tools.map((t) => t.id).sort(), [made.id, "current_time"].sort());
}

async function chats(chat: Agent) {
  const params = { path: { agentId: chat.id } };
  const answer = ok(await parley.POST("/api/v1/agents/{agentId}/chat", { params, body: { message: "What time is it?" } }));
  assert.notEqual(answer.message.text, "");
  assert.ok(answer.usage.totalTokens > 0);

  const stream = await parley.POST("/api/v1/agents/{agentId}/chat", {
    params, headers: { accept: "text/event-stream" }, parseAs: "text", body: { message: "And now?", conversationId: answer.conversationId },
  });
  assert.match(String(stream.data), /^event: run\.completed$/m);

  const path = { conversationId: answer.conversationId };
  const record = ok(await parley.GET("/api/v1/conversations/{conversationId}", { params: { path } }));
  assert.deepEqual(record.messages.filter((m) => m.role === "user").map((m) => m.text), ["What time is it?", "And now?"]);
  const log = ok(await parley.GET("/api/v1/conversations/{conversationId}/events", { params: { path, query: { limit: 1 } } }));
  assert.deepEqual([log.events[0]?.seq, log.pagination.hasMore], [1, true]);
}

async function keys(chat: Agent) {
  const made = ok(await parley.POST("/api/v1/api-keys", { body: { name: "Smoke", scopes: ["agents:read"] } }));
  const other = connect(made.key);
  assert.equal(ok(await other.GET("/api/v1/agents/{agentId}", { params: { path: { agentId: chat.id } } })).name, "Smoke chat");
  const refused = await other.POST("/api/v1/agents", { body: { name: "No", type: "chat" } });
  assert.deepEqual([refused.response.status, refused.error?.error.type], [403, "forbidden"]);

  assert.equal(ok(await parley.DELETE("/api/v1/api-keys/{keyId}", { params: { path: { keyId: made.id } } })).revoked, true);
  const deadline = Date.now() + 10_000;
  let status = 200;
  while (status !== 401 && Date.now() < deadline) {
    status = (await other.GET("/api/v1/organization")).response.status;
  }
  assert.equal(status, 401);
}

const { voice, chat } = await agents();
await lists(chat);
await retries(chat);
await tools(voice);
await changes(voice);
await chats(chat);
await keys(chat);
const organization = ok(await parley.GET("/api/v1/organization"));
assert.ok(organization.limits.requestsPerMinute > 0);
const audit = ok(await parley.GET("/api/v1/audit-log", { params: { query: { limit: 1 } } }));
assert.equal(audit.entries[0]?.action, "api_key.revoke");
