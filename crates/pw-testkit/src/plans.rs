//! Plans that tests use.

/// Three workers at once; they share `shared.txt`.
pub const THREE: &str = r#"workflow: rest-api
goal: |
  REST API with three parts
shared: [shared.txt]
workers:
  - id: task-1
    name: users
    owns: [api/users.py, "tests/users/**"]
    provides: [UserModel]
    size: M
    tasks: ["GET /users", "POST /users"]
  - id: task-2
    name: posts
    owns: [api/posts.py]
  - id: task-3
    name: docs
    owns: [docs]
"#;

/// One worker that comes after two other ones.
pub const WAVES: &str = r#"workflow: waves
goal: a base, a side, and what builds upon both
workers:
  - {id: base, name: model, owns: [model]}
  - {id: side, name: extra, owns: [extra]}
  - {id: top, name: api, owns: [api], after: [base, side]}
"#;

/// Two workers at once; they share `shared.txt`.
pub const TWO: &str = "workflow: two
goal: two parts
shared: [shared.txt]
workers:
  - {id: a, name: x, owns: [a]}
  - {id: b, name: y, owns: [b]}
";
