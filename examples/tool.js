#!/usr/bin/env node
// A Node tool that starts commands in every way of child_process, to record and replay.
//
//     sandtape record -t tool.tape -- node examples/tool.js
//     sandtape replay -t tool.tape -- node examples/tool.js
//
// spawn, exec, execFile and spawnSync; eight at once; input through a pipe; a command that fails,
// one that is killed, one that runs out of time and one that does not exist. Needs Node 12 and the
// usual commands (sh, sort, wc ...), makes no files, prints the same each time. Exit status 5.
'use strict';

const { spawn, exec, execFile, spawnSync, execFileSync } = require('child_process');

process.env.LC_ALL = 'C';

function say(title, result) {
    console.log(title + ': ' + JSON.stringify(result));
}

// Resolves to {code, signal, stdout, stderr}, or {error} when nothing could be started.
function run(command, args, options) {
    const { input, killAfter, ...rest } = options || {};
    return new Promise((resolve) => {
        const child = spawn(command, args, rest);
        const output = { stdout: '', stderr: '' };

        child.on('error', (error) => resolve({ error: error.code }));
        for (const name of ['stdout', 'stderr']) {
            child[name].setEncoding('utf8');
            child[name].on('data', (text) => { output[name] += text; });
        }
        child.on('close', (code, signal) => resolve({ code, signal, ...output }));
        child.stdin.on('error', () => {});
        child.stdin.end(input || '');
        if (killAfter) {
            setTimeout(() => child.kill('SIGTERM'), killAfter);
        }
    });
}

function callback(start) {
    return new Promise((resolve) => start((error, stdout, stderr) => resolve({
        code: error ? error.code : 0,
        signal: error ? error.signal : null,
        killed: error ? error.killed : false,
        stdout,
        stderr,
    })));
}

async function main() {
    say('spawn', await run('sh', ['-c', 'echo out; echo err >&2; exit 3']));
    say('stdin', await run('sort', ['-r'], { input: 'b\na\nc\n' }));
    say('missing', await run('sandtape-no-such-tool', ['--help']));
    say('killed', await run('sleep', ['10'], { killAfter: 150 }));
    say('exec', await callback((done) => exec('printf "3\\n1\\n2\\n" | sort | wc -l', done)));
    say('execFile', await callback((done) => execFile('uname', ['-s'], done)));
    say('timeout', await callback((done) => execFile('sleep', ['10'], { timeout: 200 }, done)));

    const words = ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight'];
    const counted = await Promise.all(words.map((word, i) =>
        run('sh', ['-c', 'sleep 0.' + (8 - i) + '; printf %s "$1" | wc -c', 'sh', word])));
    say('parallel', counted.map((one) => one.stdout.trim()));

    const big = await run('sh', ['-c', 'head -c 300000 /dev/zero | tr "\\0" x; echo done >&2']);
    say('big', [big.code, big.stdout.length, big.stderr]);

    const sync = spawnSync('tr', ['a-z', 'A-Z'], { input: 'in step\n', encoding: 'utf8' });
    say('spawnSync', [sync.status, sync.signal, sync.stdout]);
    say('execFileSync', execFileSync('echo', ['at last'], { encoding: 'utf8' }));
    const inherited = spawnSync('sh', ['-c', 'exit 9'], { stdio: 'inherit' });
    say('inherit', [inherited.status, inherited.signal]);
}

main().then(() => { process.exitCode = 5; }, (error) => {
    console.error(error);
    process.exitCode = 1;
});
