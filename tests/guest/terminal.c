/* The terminal as programs see it: termios on a pseudo-terminal. */
#include "pty.h"
#include <time.h>

static void a_pair_is_made_and_named(void)
{
    char name[64];
    struct stat info;
    open_pty();
    CHECK(isatty(slave) && isatty(master));
    CHECK(ttyname_r(slave, name, sizeof name) == 0 && strcmp(name, slave_name) == 0);
    CHECK(stat(slave_name, &info) == 0 && S_ISCHR(info.st_mode));
    int ends[2];
    CHECK(pipe(ends) == 0 && !isatty(ends[0]) && errno == ENOTTY);
    struct termios none;
    int file = open("/dev/null", O_RDWR);
    CHECK_ERRNO(tcgetattr(file, &none), ENOTTY);
    CHECK_ERRNO(lseek(slave, 0, SEEK_SET), ESPIPE);
}

static void a_new_terminal_is_canonical_with_echo(void)
{
    open_pty();
    struct termios now = settings();
    CHECK((now.c_lflag & (ICANON | ECHO | ISIG | IEXTEN)) == (ICANON | ECHO | ISIG | IEXTEN));
    CHECK((now.c_iflag & ICRNL) && (now.c_oflag & OPOST) && (now.c_oflag & ONLCR));
    CHECK(now.c_cc[VINTR] == 3 && now.c_cc[VQUIT] == 28 && now.c_cc[VSUSP] == 26);
    CHECK(now.c_cc[VEOF] == 4 && now.c_cc[VERASE] == 127 && now.c_cc[VKILL] == 21);
    CHECK((now.c_cflag & CSIZE) == CS8);
}

static void settings_are_kept(void)
{
    open_pty();
    struct termios now = settings(), again;
    now.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    now.c_cc[VMIN] = 7, now.c_cc[VTIME] = 9, now.c_cc[VINTR] = 'q';
    CHECK(tcsetattr(slave, TCSADRAIN, &now) == 0);
    again = settings();
    CHECK(again.c_lflag == now.c_lflag && again.c_cc[VMIN] == 7 && again.c_cc[VTIME] == 9);
    CHECK(again.c_cc[VINTR] == 'q');
    CHECK(tcgetattr(master, &again) == 0 && again.c_lflag == now.c_lflag);
    CHECK(cfsetospeed(&now, B9600) == 0 && tcsetattr(slave, TCSAFLUSH, &now) == 0);
    CHECK(tcgetattr(slave, &again) == 0 && cfgetospeed(&again) == B9600);
}

static void input_comes_line_by_line(void)
{
    char text[64];
    open_pty();
    type("hal");
    CHECK(!readable(slave, 50));
    type("lo\nnext\n");
    CHECK(read(slave, text, sizeof text) == 6 && memcmp(text, "hallo\n", 6) == 0);
    CHECK(read(slave, text, 2) == 2 && memcmp(text, "ne", 2) == 0);
    CHECK(read(slave, text, sizeof text) == 3 && memcmp(text, "xt\n", 3) == 0);
    type("cr\r");
    expect(slave, "cr\n");
}

static void what_is_typed_is_echoed(void)
{
    open_pty();
    type("ab\n");
    expect(master, "ab\r\n");
    type("\001");
    expect(master, "^A");
    without_echo();
    type("cd\n");
    expect(slave, "ab\n");
    expect(slave, "\001cd\n");
    CHECK(!readable(master, 50));
}

static void erase_kill_and_word_erase_edit_the_line(void)
{
    open_pty();
    type("abx\177c\n");
    expect(slave, "abc\n");
    expect(master, "abx\b \bc\r\n");
    without_echo();
    type("all wrong\025right\n");
    expect(slave, "right\n");
    type("two words\027ones\n");
    expect(slave, "two ones\n");
    type("\177\177x\n");
    expect(slave, "x\n");
    type("a\026\003b\n");
    expect(slave, "a\003b\n");
}

static void end_of_file_ends_a_read(void)
{
    char text[16];
    open_pty();
    without_echo();
    type("\004");
    CHECK(read(slave, text, sizeof text) == 0);
    type("partial\004");
    CHECK(read(slave, text, sizeof text) == 7 && memcmp(text, "partial", 7) == 0);
    type("after\n");
    expect(slave, "after\n");
}

static void output_gets_carriage_returns(void)
{
    open_pty();
    CHECK(write(slave, "one\ntwo\n", 8) == 8);
    expect(master, "one\r\ntwo\r\n");
    struct termios now = settings();
    now.c_oflag &= ~(tcflag_t)OPOST;
    apply(&now);
    CHECK(write(slave, "raw\n", 4) == 4);
    expect(master, "raw\n");
}

static void raw_input_obeys_min_and_time(void)
{
    char text[16];
    struct timespec before, after;
    open_pty();
    struct termios now = settings();
    cfmakeraw(&now);
    now.c_cc[VMIN] = 1, now.c_cc[VTIME] = 0;
    apply(&now);
    type("\003\r");
    CHECK(read(slave, text, sizeof text) == 2 && memcmp(text, "\003\r", 2) == 0);
    CHECK(!readable(master, 30));
    now.c_cc[VMIN] = 0;
    apply(&now);
    CHECK(read(slave, text, sizeof text) == 0);
    now.c_cc[VTIME] = 2;
    apply(&now);
    CHECK(clock_gettime(CLOCK_MONOTONIC, &before) == 0);
    CHECK(read(slave, text, sizeof text) == 0);
    CHECK(clock_gettime(CLOCK_MONOTONIC, &after) == 0);
    CHECK((after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000 >= 150);
    now.c_cc[VMIN] = 3, now.c_cc[VTIME] = 0;
    apply(&now);
    if (fork() == 0) {
        for (int i = 0; i < 3; i++) {
            sleep_ms(20);
            type("z");
        }
        _exit(0);
    }
    CHECK(read(slave, text, sizeof text) == 3);
}

static void waiting_bytes_can_be_counted_and_flushed(void)
{
    int waiting;
    open_pty();
    without_echo();
    type("1234\n");
    CHECK(readable(slave, 3000) && ioctl(slave, FIONREAD, &waiting) == 0 && waiting == 5);
    CHECK(tcflush(slave, TCIFLUSH) == 0);
    CHECK(ioctl(slave, FIONREAD, &waiting) == 0 && waiting == 0 && !readable(slave, 20));
    type("new\n");
    expect(slave, "new\n");
    CHECK(fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK) == 0);
    char byte;
    CHECK_ERRNO(read(slave, &byte, 1), EAGAIN);
}

static volatile sig_atomic_t resized;

static void on_resize(int signal)
{
    (void)signal;
    resized = 1;
}

static void resize(void)
{
    struct winsize size = { 50, 132, 0, 0 }, now;
    take_terminal();
    CHECK(signal(SIGWINCH, on_resize) != SIG_ERR);
    CHECK(ioctl(master, TIOCSWINSZ, &size) == 0);
    for (int i = 0; i < 100 && !resized; i++)
        sleep_ms(10);
    CHECK(resized);
    CHECK(ioctl(slave, TIOCGWINSZ, &now) == 0 && now.ws_row == 50 && now.ws_col == 132);
}

static void the_window_size_is_kept_and_announced(void)
{
    open_pty();
    check_in_child(resize);
}

static void a_closed_master_hangs_up(void)
{
    char byte;
    open_pty();
    CHECK(close(master) == 0);
    CHECK(read(slave, &byte, 1) == 0);
    CHECK_ERRNO(write(slave, "x", 1), EIO);
    struct pollfd wanted = { slave, POLLIN, 0 };
    CHECK(poll(&wanted, 1, 0) == 1 && (wanted.revents & POLLHUP));
}

static void a_closed_slave_is_eio_until_it_is_opened_again(void)
{
    char byte;
    open_pty();
    CHECK(write(slave, "last", 4) == 4 && close(slave) == 0);
    expect(master, "last");
    CHECK_ERRNO(read(master, &byte, 1), EIO);
    slave = open(slave_name, O_RDWR | O_NOCTTY);
    CHECK(slave >= 0 && write(slave, "again", 5) == 5);
    expect(master, "again");
}

static void pairs_are_independent(void)
{
    open_pty();
    int first_master = master, first_slave = slave;
    open_pty();
    CHECK(write(first_slave, "1", 1) == 1 && write(slave, "2", 1) == 1);
    expect(master, "2");
    expect(first_master, "1");
}

static const struct test tests[] = {
    TEST(a_pair_is_made_and_named),
    TEST(a_new_terminal_is_canonical_with_echo),
    TEST(settings_are_kept),
    TEST(input_comes_line_by_line),
    TEST(what_is_typed_is_echoed),
    TEST(erase_kill_and_word_erase_edit_the_line),
    TEST(end_of_file_ends_a_read),
    TEST(output_gets_carriage_returns),
    TEST(raw_input_obeys_min_and_time),
    TEST(waiting_bytes_can_be_counted_and_flushed),
    TEST(the_window_size_is_kept_and_announced),
    TEST(a_closed_master_hangs_up),
    TEST(a_closed_slave_is_eio_until_it_is_opened_again),
    TEST(pairs_are_independent),
};

RUN(tests)
