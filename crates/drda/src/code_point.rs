//! Code points by their DDM names, and the few values that go with them.
//!
//! What each consists of stands under its name in DDM ch. 3 (Terms, in alphabetical order); when it flows, in DRDA
//! ch. 4 (Processing Flows and Commands), in the order of the groups below: attributes and manager levels, login,
//! access to the database, statements, queries, and the end of a unit of work. The data that `SQLDTA`, `SQLDARD`,
//! `SQLCARD`, `QRYDSC` and `QRYDTA` carry is described in DRDA ch. 5 by FD:OCA.

// Attributes and manager levels: DRDA ch. 4; DDM ch. 3, `EXCSAT`, `MGRLVLLS`.

/// EXCSAT, Exchange Server Attributes: the first command of a conversation.
pub const EXCSAT: u16 = 0x1041;
/// EXTNAM, External Name: of the client's job.
pub const EXTNAM: u16 = 0x115E;
/// SRVNAM, Server Name: of the client as a server of its user.
pub const SRVNAM: u16 = 0x116D;
/// SRVRLSLV, Server Product Release Level.
pub const SRVRLSLV: u16 = 0x115A;
/// SRVCLSNM, Server Class Name.
pub const SRVCLSNM: u16 = 0x1147;
/// MGRLVLLS, Manager-Level Number List: pairs of a manager and its level.
pub const MGRLVLLS: u16 = 0x1404;
/// AGENT, a manager.
pub const AGENT: u16 = 0x1403;
/// SQLAM, SQL Application Manager.
pub const SQLAM: u16 = 0x2407;
/// RDB, Relational Database: a manager.
pub const RDB: u16 = 0x240F;
/// SECMGR, Security Manager.
pub const SECMGR: u16 = 0x1440;
/// UNICODEMGR, Unicode Manager: its level is the CCSID of names once the attributes are exchanged.
pub const UNICODEMGR: u16 = 0x1C08;
/// EXCSATRD, Server Attributes Reply Data.
pub const EXCSATRD: u16 = 0x1443;

// Login: DRDA ch. 4; DDM ch. 3, `ACCSEC`, `SECCHK`, `USRIDPWD`.

/// ACCSEC, Access Security: agree on how to log in.
pub const ACCSEC: u16 = 0x106D;
/// SECMEC, Security Mechanism.
pub const SECMEC: u16 = 0x11A2;
/// SECMEC's USRIDPWD: user and password as they are.
pub const USRIDPWD: u16 = 3;
/// ACCSECRD, Access Security Reply Data.
pub const ACCSECRD: u16 = 0x14AC;
/// SECCHK, Security Check: the login itself.
pub const SECCHK: u16 = 0x106E;
/// USRID, User ID at the target.
pub const USRID: u16 = 0x11A0;
/// PASSWORD.
pub const PASSWORD: u16 = 0x11A1;
/// SECCHKRM, Security Check Reply Message.
pub const SECCHKRM: u16 = 0x1219;
/// SECCHKCD, Security Check Code.
pub const SECCHKCD: u16 = 0x11A4;

// Access to the database: DRDA ch. 4; DDM ch. 3, `ACCRDB`, `TYPDEF`, `TYPDEFOVR`.

/// ACCRDB, Access RDB: open the database.
pub const ACCRDB: u16 = 0x2001;
/// RDBNAM, Relational Database Name.
pub const RDBNAM: u16 = 0x2110;
/// RDBACCCL, RDB Access Manager Class.
pub const RDBACCCL: u16 = 0x210F;
/// PRDID, Product-specific Identifier.
pub const PRDID: u16 = 0x112E;
/// CRRTKN, Correlation Token: which conversation it is.
pub const CRRTKN: u16 = 0x2135;
/// TYPDEFNAM, Data Type Definition Name.
pub const TYPDEFNAM: u16 = 0x002F;
/// TYPDEFOVR, TYPDEF Overrides: the CCSIDs.
pub const TYPDEFOVR: u16 = 0x0035;
/// CCSIDSBC, CCSID for single-byte characters.
pub const CCSIDSBC: u16 = 0x119C;
/// CCSIDDBC, CCSID for double-byte characters.
pub const CCSIDDBC: u16 = 0x119D;
/// CCSIDMBC, CCSID for mixed-byte characters.
pub const CCSIDMBC: u16 = 0x119E;
/// ACCRDBRM, Access to RDB Completed.
pub const ACCRDBRM: u16 = 0x2201;
/// RDBNFNRM, RDB Not Found.
pub const RDBNFNRM: u16 = 0x2211;
/// RDBATHRM, Not Authorized to RDB.
pub const RDBATHRM: u16 = 0x22CB;
/// RDBAFLRM, RDB Access Failed.
pub const RDBAFLRM: u16 = 0x221A;

// Statements: DRDA ch. 4, and ch. 5 for what they carry; DDM ch. 3, `PRPSQLSTT`, `EXCSQLSTT`, `EXCSQLIMM`.

/// PKGNAMCSN, Package Name, Consistency Token and Section Number: which prepared statement.
pub const PKGNAMCSN: u16 = 0x2113;
/// PRPSQLSTT, Prepare SQL Statement.
pub const PRPSQLSTT: u16 = 0x200D;
/// RTNSQLDA, Return SQL Descriptor Area.
pub const RTNSQLDA: u16 = 0x2116;
/// TYPSQLDA, Type of SQL Descriptor Area.
pub const TYPSQLDA: u16 = 0x2146;
/// TYPSQLDA: extended, of the columns that come out.
pub const EXTENDED_OUTPUT: u8 = 4;
/// TYPSQLDA: extended, of the parameters that go in.
pub const EXTENDED_INPUT: u8 = 5;
/// SQLSTT, SQL Statement: its text.
pub const SQLSTT: u16 = 0x2414;
/// DSCSQLSTT, Describe SQL Statement.
pub const DSCSQLSTT: u16 = 0x2008;
/// SQLDARD, SQLDA Reply Data: a description.
pub const SQLDARD: u16 = 0x2411;
/// EXCSQLIMM, Execute Immediate SQL Statement.
pub const EXCSQLIMM: u16 = 0x200A;
/// EXCSQLSTT, Execute SQL Statement that was prepared.
pub const EXCSQLSTT: u16 = 0x200B;
/// RDBCMTOK, RDB Commit Allowed.
pub const RDBCMTOK: u16 = 0x2105;
/// SQLDTA, SQL Program Variable Data: the parameters.
pub const SQLDTA: u16 = 0x2412;
/// FDODSC, FD:OCA Data Descriptor.
pub const FDODSC: u16 = 0x0010;
/// FDODTA, FD:OCA Data.
pub const FDODTA: u16 = 0x147A;
/// EXTDTA, Externalized FD:OCA Data: a large value on its own.
pub const EXTDTA: u16 = 0x146C;
/// SQLCARD, SQL Communications Area Reply Data: how a command went.
pub const SQLCARD: u16 = 0x2408;
/// RDBUPDRM, RDB Update Reply Message: the first change of a transaction.
pub const RDBUPDRM: u16 = 0x2218;
/// CMDCHKRM, Command Check: Derby's for what ends the session, such as a full disk; a SQLCARD follows then.
pub const CMDCHKRM: u16 = 0x1254;
/// SQLERRRM, SQL Error Condition; a SQLCARD follows.
pub const SQLERRRM: u16 = 0x2213;

// Queries: DRDA ch. 4, and ch. 5 for what they carry; DDM ch. 3, `OPNQRY`, `QRYBLK`, `CNTQRY`.

/// OPNQRY, Open Query.
pub const OPNQRY: u16 = 0x200C;
/// QRYBLKSZ, Query Block Size.
pub const QRYBLKSZ: u16 = 0x2114;
/// QRYCLSIMP, Query Close Implicit: the server closes at the last row.
pub const QRYCLSIMP: u16 = 0x215D;
/// QRYINSID, Query Instance Identifier.
pub const QRYINSID: u16 = 0x215B;
/// OPNQRYRM, Open Query Complete.
pub const OPNQRYRM: u16 = 0x2205;
/// OPNQFLRM, Open Query Failure; a SQLCARD follows.
pub const OPNQFLRM: u16 = 0x2212;
/// QRYDSC, Query Answer Set Description.
pub const QRYDSC: u16 = 0x241A;
/// QRYDTA, Query Answer Set Data.
pub const QRYDTA: u16 = 0x241B;
/// CNTQRY, Continue Query.
pub const CNTQRY: u16 = 0x2006;
/// CLSQRY, Close Query.
pub const CLSQRY: u16 = 0x2005;
/// ENDQRYRM, End of Query.
pub const ENDQRYRM: u16 = 0x220B;
/// QRYNOPRM, Query Not Open.
pub const QRYNOPRM: u16 = 0x2202;

// End of a unit of work: DRDA ch. 4; DDM ch. 3, `RDBCMM`, `RDBRLLBCK`.

/// RDBCMM, RDB Commit Unit of Work.
pub const RDBCMM: u16 = 0x200E;
/// RDBRLLBCK, RDB Rollback Unit of Work.
pub const RDBRLLBCK: u16 = 0x200F;
/// ENDUOWRM, End Unit of Work Condition.
pub const ENDUOWRM: u16 = 0x220C;
/// UOWDSP, Unit of Work Disposition.
pub const UOWDSP: u16 = 0x2115;
/// ABNUOWRM, Abnormal End of Unit of Work; a SQLCARD follows.
pub const ABNUOWRM: u16 = 0x220D;

// In no book.

/// PBSD, Piggy-Backed Session Data: Derby's own, of isolation level and schema.
pub const PBSD: u16 = 0xC000;

/// What says that the conversation itself went wrong; none is answered to what this client sends.
pub const CONVERSATION_FAULTS: &[(u16, &str)] = &[
    (0x1232, "AGNPRMRM"),
    (0x121C, "CMDATHRM"),
    (0x1250, "CMDNSPRM"),
    (0x220A, "DSCINVRM"),
    (0x220E, "DTAMCHRM"),
    (0x1218, "MGRDEPRM"),
    (0x1210, "MGRLVLRM"),
    (0x1253, "OBJNSPRM"),
    (0x1245, "PRCCNVRM"),
    (0x1251, "PRMNSPRM"),
    (0x220F, "QRYPOPRM"),
    (0x2207, "RDBACCRM"),
    (0x2204, "RDBNACRM"),
    (0x1233, "RSCLMTRM"),
    (0x124C, "SYNTAXRM"),
    (0x125F, "TRGNSPRM"),
    (0x1252, "VALNSPRM"),
];

/// TRUE of DDM's BOOLEAN: the EBCDIC figure 1.
pub const TRUE: u8 = 0xF1;
