// A client written by somebody who has shadowpipe.proto and PROTOCOL.md, Node.js and protobufjs, and nothing else.
//
//   node third_party.js PIPE PROTO VOLUME FILE...
//
// PIPE is the pipe's whole name: \\.\pipe\NAME. The script takes a snapshot of VOLUME, prints each FILE (a path below
// the volume's root) as the snapshot has it, in hex, one per line, and finishes the backup. Progress goes to standard
// error. It exits with 0 only if everything was as it should be.
'use strict';
const fs = require('fs');
const net = require('net');
const protobuf = require('protobufjs');

// Frames: a 4-byte big-endian length and one Envelope, in whatever pieces the pipe gives them.
class Splitter {
    constructor(onFrame) {
        this.onFrame = onFrame;
        this.buffer = Buffer.alloc(0);
    }

    push(bytes) {
        this.buffer = Buffer.concat([this.buffer, bytes]);
        while (this.buffer.length >= 4) {
            const end = 4 + this.buffer.readUInt32BE(0);
            if (this.buffer.length < end) return;
            this.onFrame(this.buffer.subarray(4, end));
            this.buffer = this.buffer.subarray(end);
        }
    }
}

class Client {
    static connect(pipe, Envelope) {
        return new Promise((resolve, reject) => {
            const socket = net.connect(pipe);
            socket.once('error', reject);
            socket.once('connect', () => {
                socket.off('error', reject);
                resolve(new Client(socket, Envelope));
            });
        });
    }

    constructor(socket, Envelope) {
        this.socket = socket;
        this.Envelope = Envelope;
        this.nextId = 1;
        this.open = new Map(); // requests by id
        const splitter = new Splitter((frame) => this.receive(frame));
        socket.on('data', (bytes) => splitter.push(bytes));
        socket.on('error', (error) => this.fail(error));
        socket.on('close', () => this.fail(new Error('the server closed the connection')));
    }

    fail(error) {
        for (const request of this.open.values()) request.reject(error);
        this.open.clear();
    }

    // Resolves with the final reply; `onStream` gets what comes before it.
    request(body, onStream = () => {}) {
        const id = this.nextId++;
        const problem = this.Envelope.verify({ id, ...body });
        if (problem) throw new Error(problem);
        const payload = this.Envelope.encode(this.Envelope.fromObject({ id, ...body })).finish();
        const header = Buffer.alloc(4);
        header.writeUInt32BE(payload.length);
        this.socket.write(Buffer.concat([header, payload]));
        return new Promise((resolve, reject) => this.open.set(id, { resolve, reject, onStream }));
    }

    receive(frame) {
        const envelope = this.Envelope.toObject(this.Envelope.decode(frame), { enums: String, longs: Number, oneofs: true });
        const reply = envelope[envelope.body];
        if (envelope.id === undefined || envelope.id === 0) return this.fail(describe(reply)); // the farewell
        const request = this.open.get(envelope.id);
        if (!request) throw new Error(`a reply to no request: ${JSON.stringify(envelope)}`);
        if (envelope.body === 'progress') return request.onStream(reply);
        this.open.delete(envelope.id);
        if (envelope.body === 'status') request.reject(describe(reply));
        else request.resolve(reply);
    }

    close() {
        this.socket.removeAllListeners('close');
        this.socket.end();
    }
}

function describe(status) {
    return new Error(`${status.code} ${status.reason} ${status.hresult_name || ''}: ${status.message} ${status.advice || ''}`);
}

function check(condition, what) {
    if (!condition) throw new Error(`not as it should be: ${what}`);
}

async function run(pipe, proto, volume, ...files) {
    const root = new protobuf.Root();
    await root.load(proto, { keepCase: true });
    const client = await Client.connect(pipe, root.lookupType('shadowpipe.v1.Envelope'));

    const hello = await client.request({ hello: { major: 1, client_name: 'third_party.js', client_version: '1' } });
    check(hello.major === 1 && hello.limits.max_volumes === 64, 'the answer to Hello');

    const phases = [];
    const snapshot = await client.request(
        { timeout_ms: 600000, create_snapshot: { purpose: 'third party', volumes: [volume] } },
        (progress) => {
            if (phases[phases.length - 1] !== progress.phase) phases.push(progress.phase);
        });
    console.error(phases.join(' '));
    check(phases.includes('PHASE_CREATING'), 'the progress');
    check(snapshot.consistency === 'CONSISTENCY_APPLICATION', 'the consistency');
    check(snapshot.volumes.length === 1, 'the number of volumes');
    for (const file of files) {
        console.log(fs.readFileSync(snapshot.volumes[0].device_root + file).toString('hex'));
    }

    const finished = await client.request({ finish_backup: { lease_id: snapshot.lease_id, outcome: 1 } });
    check(finished.completion === 'COMPLETION_COMPLETED', 'the completion');
    client.close();
}

run(...process.argv.slice(2)).catch((error) => {
    console.error(error.message);
    process.exit(1);
});
