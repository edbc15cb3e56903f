// protobufjs against the golden vectors: node vectors.js PROTO MESSAGES_JSON. What one encoder made, another one has to
// read as the vector says, and to write as the same bytes.
'use strict';
const assert = require('assert');
const fs = require('fs');
const protobuf = require('protobufjs');

function check(Envelope, vector) {
    const message = Envelope.decode(Buffer.from(vector.hex, 'hex'));
    const plain = Envelope.toObject(message, { enums: String, longs: String, bytes: String, json: true });
    assert.deepStrictEqual(plain, vector.message, vector.name);
    assert.strictEqual(Buffer.from(Envelope.encode(message).finish()).toString('hex'), vector.hex, vector.name);
}

const [proto, messages] = process.argv.slice(2);
const root = new protobuf.Root();
root.loadSync(proto, { keepCase: true });
const vectors = JSON.parse(fs.readFileSync(messages, 'utf8')).filter((vector) => vector.message);
for (const vector of vectors) check(root.lookupType('shadowpipe.v1.Envelope'), vector);
console.log(`${vectors.length} vectors`);
