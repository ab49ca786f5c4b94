// What Pulumi's engine starts for a program with `runtime: nodejs`. Pulumi's own host is served as no Go
// module: this is the language server of its Automation API, on the program that is compiled beside it.
const grpc = require("@grpc/grpc-js");
const { LanguageServer } = require("@pulumi/pulumi/automation/server");
const { LanguageRuntimeService } = require("@pulumi/pulumi/proto/language_grpc_pb");

const server = new grpc.Server();
server.addService(LanguageRuntimeService, new LanguageServer(() => require("./program")));
server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error) throw error;
    console.log(port);
});
